import type { Request } from 'express'
import type { Actor } from '../lib/access/actor.ts'
import type { CredentialWatch, Holder } from './credential-watch.ts'
import { unauthorized } from './middleware/credentials.ts'

/** The credential of a request, for as long as the request takes. */
export type HeldCredential = {
  /** Who makes the request, with the role of now. */
  actor(): Actor
  /** Aborted within a second of the credential's end. Its reason is the 401 to answer. */
  ended: AbortSignal
  /** To be called when the request is over. */
  release(): void
}

/**
 * Watches the credential of a request, so that whatever waits on the strength of it (a body that is still coming, a
 * turn, a job) waits no longer than it holds.
 * @param onRole called when the role has changed; by default it only counts from then on
 */
export function holdCredential(
  watch: Pick<CredentialWatch, 'add' | 'remove'>,
  req: Request,
  actor: Actor,
  onRole: (actor: Actor) => void = () => {}
): HeldCredential {
  const end = new AbortController()
  const holder: Holder & { actor: Actor } = {
    actor,
    revoked: () => end.abort(unauthorized(req)),
    roleChanged(role) {
      holder.actor = { ...holder.actor, role }
      onRole(holder.actor)
    }
  }
  watch.add(holder)
  return { actor: () => holder.actor, ended: end.signal, release: () => watch.remove(holder) }
}

/** Settles with the promise, or rejects with the signal's reason as soon as that is aborted. */
export async function unlessEnded<T>(promise: Promise<T>, ended: AbortSignal): Promise<T> {
  const { promise: end, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(ended.reason as Error)
  if (ended.aborted) onAbort()
  else ended.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, end])
  } finally {
    ended.removeEventListener('abort', onAbort)
  }
}
