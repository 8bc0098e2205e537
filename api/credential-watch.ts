import type { Redis } from 'ioredis'
import type { Actor } from '../lib/access/actor.ts'
import { parseRevocation, type Revocation, revokedChannel } from '../lib/auth/revocations.ts'
import type { Logger } from '../lib/logger.ts'
import type { CredentialsInForce } from '../lib/store/people/credentials-in-force.ts'

/** Something that stays open on the strength of a credential: a socket, a stream. */
export type Holder = {
  readonly actor: Actor
  /** The credential is no longer valid. May be called again until the holder is removed. */
  revoked(): void
  roleChanged(role: Actor['role']): void
}

/** Tells holders within a second when their credential is revoked or has run out. */
export type CredentialWatch = {
  start(): void
  stop(): Promise<void>
  add(holder: Holder): void
  remove(holder: Holder): void
}

const lookEveryMs = 400

/**
 * Looks all credentials up in one query at short intervals, and at once when a revocation is published. Roles that have
 * changed are passed on. While Postgres is away everything stays open: nothing can be read through it then either.
 */
export function createCredentialWatch({
  subscriber,
  prefix,
  inForce,
  forget,
  log
}: {
  subscriber: Redis
  prefix: string
  inForce: CredentialsInForce
  /** what requests remember of credentials */
  forget: (revocation: Revocation) => void
  log: Logger
}): CredentialWatch {
  const channel = revokedChannel(prefix)
  const holders = new Map<string, Set<Holder>>()
  let timer: NodeJS.Timeout | undefined
  let looking: Promise<void> | undefined
  let again = false

  async function lookOnce(): Promise<void> {
    const credentials = [...holders.values()]
      .flatMap((own) => [...own].slice(0, 1))
      .map(({ actor }) => actor.credential)
    if (credentials.length === 0) return
    const roles = await inForce(credentials)
    for (const { id } of credentials) {
      const role = roles.get(id)
      for (const holder of holders.get(id) ?? []) {
        if (role === undefined) holder.revoked()
        else if (role !== holder.actor.role) holder.roleChanged(role)
      }
    }
  }

  function look(): void {
    again = true
    looking ??= (async () => {
      while (again) {
        again = false
        await lookOnce().catch((error: unknown) => log.warn({ err: error }, 'credentials could not be looked up'))
      }
      looking = undefined
    })()
  }

  const onMessage = (from: string, message: string) => {
    if (from !== channel) return
    const revocation = parseRevocation(message)
    if (revocation) forget(revocation)
    if (holders.size > 0) look()
  }

  return {
    start() {
      subscriber.on('message', onMessage)
      subscriber
        .subscribe(channel)
        .catch((error: unknown) => log.warn({ err: error }, 'revocations come by looking only'))
      timer = setInterval(() => {
        if (!looking) look()
      }, lookEveryMs)
    },
    async stop() {
      clearInterval(timer)
      subscriber.off('message', onMessage)
      await looking
    },
    add(holder) {
      const { id } = holder.actor.credential
      holders.set(id, (holders.get(id) ?? new Set()).add(holder))
    },
    remove(holder) {
      const { id } = holder.actor.credential
      const own = holders.get(id)
      own?.delete(holder)
      if (own?.size === 0) holders.delete(id)
    }
  }
}
