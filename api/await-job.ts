import { setTimeout as delay } from 'node:timers/promises'
import type { Request, Response } from 'express'
import type { Actor } from '../lib/access/actor.ts'
import { AppError } from '../lib/errors/app-error.ts'
import type { JobView } from '../lib/schemas/job.ts'
import type { CredentialWatch } from './credential-watch.ts'
import { holdCredential } from './held-credential.ts'
import { preferredWaitSeconds } from './preferences.ts'

/** Tells when a job has ended, from this process's share of the news. */
export type JobWaiter = { wait(jobId: string, timeoutMs: number, signal: AbortSignal): Promise<'ended' | 'timeout'> }

/** @param read reads the job as this person may see it now; throws AppError 404 when they may not */
export type AwaitJob = (
  asked: { actor: Actor; req: Request; res: Response },
  job: JobView,
  read: (actor: Actor) => Promise<JobView>
) => Promise<{ job: JobView; headers: Record<string, string> }>

export const hasEnded = ({ status }: JobView): boolean =>
  status === 'completed' || status === 'failed' || status === 'cancelled'

/** How often a held request looks at the row by itself: news can be lost, the row cannot. */
const lookEveryMs = 1_000

/** Answers that are held for one person in this process. Further ones come at once, as without the preference. */
const heldOfUser = 20

/**
 * Holds an answer for `Prefer: wait=N` until the job has ended, without holding a database connection: it waits for the
 * news and reads the row once a second besides. When the server goes away it is answered with the job as it is; when the
 * credential ends, with 401 within a second; when a role that it was seen by ends, with 404.
 */
export function createAwaitJob({
  waiter,
  goingAway,
  watch
}: {
  waiter: JobWaiter
  goingAway: AbortSignal
  watch: Pick<CredentialWatch, 'add' | 'remove'>
}): AwaitJob {
  const heldFor = new Map<string, number>()

  /** @returns false when as many are held already */
  function enter(userId: string): boolean {
    const held = heldFor.get(userId) ?? 0
    if (held >= heldOfUser) return false
    heldFor.set(userId, held + 1)
    return true
  }

  function leave(userId: string): void {
    const left = (heldFor.get(userId) ?? 1) - 1
    if (left > 0) heldFor.set(userId, left)
    else heldFor.delete(userId)
  }

  return async ({ actor, req, res }, job, read) => {
    const seconds = preferredWaitSeconds(req.headers.prefer)
    if (seconds === undefined || (!hasEnded(job) && !enter(actor.id))) return { job, headers: {} }
    const headers = { 'Preference-Applied': `wait=${seconds}` }
    if (hasEnded(job)) return { job, headers }

    const gone = new AbortController()
    const hidden = new AbortController()
    const onClose = () => gone.abort()
    res.once('close', onClose)
    const held = holdCredential(watch, req, actor, (now) => {
      read(now).catch((error: unknown) => hidden.abort(error))
    })
    try {
      const deadline = Date.now() + seconds * 1000
      const over = AbortSignal.any([gone.signal, goingAway, held.ended, hidden.signal])
      let current = job
      while (!hasEnded(current) && !over.aborted) {
        const left = deadline - Date.now()
        if (left <= 0) break
        await waiter.wait(job.id, Math.min(left, lookEveryMs), over)
        held.ended.throwIfAborted()
        hidden.signal.throwIfAborted()
        current = await read(held.actor()).catch((error: unknown) => refuse(error, held.ended))
      }
      // Either may have come about while the row was read as it could be seen before.
      held.ended.throwIfAborted()
      hidden.signal.throwIfAborted()
      return { job: current, headers }
    } finally {
      held.release()
      leave(actor.id)
      res.off('close', onClose)
    }
  }
}

/**
 * A job goes with the person it belongs to, and the row may be seen to be gone before the credential is: that it has
 * ended is known within a second, and then that is the answer.
 */
async function refuse(error: unknown, ended: AbortSignal): Promise<never> {
  if (error instanceof AppError && error.code === 'not_found') {
    await delay(lookEveryMs, undefined, { signal: ended }).catch(() => ended.throwIfAborted())
  }
  throw error
}
