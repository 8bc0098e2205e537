import type { Request, Response } from 'express'
import type { JobView } from '../lib/schemas/job.ts'
import { preferredWaitSeconds } from './preferences.ts'

/** Tells when a job has ended, from this process's share of the news. */
export type JobWaiter = { wait(jobId: string, timeoutMs: number, signal: AbortSignal): Promise<'ended' | 'timeout'> }

export type AwaitJob = (
  req: Request,
  res: Response,
  job: JobView,
  read: () => Promise<JobView>
) => Promise<{ job: JobView; headers: Record<string, string> }>

export const hasEnded = ({ status }: JobView): boolean =>
  status === 'completed' || status === 'failed' || status === 'cancelled'

/** How often a held request looks at the row by itself: news can be lost, the row cannot. */
const lookEveryMs = 1_000

/**
 * Holds an answer for `Prefer: wait=N` until the job has ended, without holding a database connection: it waits for the
 * news and reads the row once a second besides. When the server goes away it is answered with the job as it is.
 */
export function createAwaitJob({ waiter, goingAway }: { waiter: JobWaiter; goingAway: AbortSignal }): AwaitJob {
  return async (req, res, job, read) => {
    const seconds = preferredWaitSeconds(req.headers.prefer)
    if (seconds === undefined) return { job, headers: {} }
    const headers = { 'Preference-Applied': `wait=${seconds}` }
    const gone = new AbortController()
    const onClose = () => gone.abort()
    res.once('close', onClose)
    try {
      const deadline = Date.now() + seconds * 1000
      const over = AbortSignal.any([gone.signal, goingAway])
      let current = job
      while (!hasEnded(current) && !over.aborted) {
        const left = deadline - Date.now()
        if (left <= 0) break
        await waiter.wait(job.id, Math.min(left, lookEveryMs), over)
        current = await read()
      }
      return { job: current, headers }
    } finally {
      res.off('close', onClose)
    }
  }
}
