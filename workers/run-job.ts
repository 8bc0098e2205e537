import { setTimeout as delay } from 'node:timers/promises'
import { classify } from '../lib/jobs/classify.ts'
import { JobError } from '../lib/errors/job-error.ts'
import type { createLifecycle, Start } from '../lib/jobs/lifecycle.ts'
import { workerAliveMs } from '../lib/store/operations/workers.ts'
import type { ProgressBoard } from '../lib/jobs/progress.ts'
import type { Logger } from '../lib/logger.ts'
import type { AiAction } from '../lib/actions/actions.ts'
import type { StartedJob } from '../lib/store/jobs/runs.ts'
import type { JobStore } from '../lib/store/jobs/jobs.ts'
import type { UsageTracker } from '../lib/usage/tracker.ts'
import { createLargeCommits } from './large-commits.ts'
import type { Processor } from './processor.ts'
import { RunAborted, type RunningJobs } from './running-jobs.ts'

/** A processor with the schema that its input is parsed by again: queued jobs outlive deploys. */
export type Handler = {
  parse(input: unknown): { ok: true; input: unknown } | { ok: false; problem: string }
  process: Processor
}
export type Handlers = Record<AiAction, Handler>

/** What became of a delivery, for BullMQ. */
export type Outcome =
  | { kind: 'done'; status: 'completed' | 'cancelled' | 'over' }
  | { kind: 'later'; delayMs: number }
  | { kind: 'failed'; code: string }

export type RunJob = (jobId: string) => Promise<Outcome>

/**
 * One delivery of a job: start a run, process, commit the effect. The usage scope is opened around the processor, so
 * that every model call inside is booked to this run.
 */
export function createRunJob({
  lifecycle,
  store,
  progress,
  tracker,
  running,
  handlers,
  worker,
  log
}: {
  lifecycle: ReturnType<typeof createLifecycle>
  store: JobStore
  progress: ProgressBoard
  tracker: UsageTracker
  running: RunningJobs
  handlers: Handlers
  worker: string
  log: Logger
}): RunJob {
  const commitInTurn = createLargeCommits()

  return async (jobId) => {
    // A second delivery of what this process still runs (Redis lost its lock): look again when it is done.
    if (running.has(jobId)) return { kind: 'later', delayMs: 1_000 }
    const start = await startWhenFree(jobId)
    if (start.kind === 'over') return { kind: 'done', status: 'over' }
    if (start.kind === 'later') return start
    return await runStarted(start.job)
  }

  /**
   * A job that comes from a worker which fell silent is waited for here until that one counts as dead: put back into
   * the queue, it would come up again behind everything that waits.
   */
  async function startWhenFree(jobId: string): Promise<Exclude<Start, { kind: 'held' }>> {
    const deadline = Date.now() + workerAliveMs + 1_000
    for (;;) {
      const start = await lifecycle.start(jobId, worker)
      if (start.kind !== 'held') return start
      if (Date.now() > deadline) return { kind: 'later', delayMs: 1_000 }
      await delay(200)
    }
  }

  async function runStarted(job: StartedJob): Promise<Outcome> {
    const { signal, remove } = running.add(job.id, job.run)
    const jobLog = log.child({ queue: job.action, jobId: job.id, run: job.run, attempt: job.attempts })
    const reporter = progress.reporter(job.id)
    let partial: string | undefined
    try {
      const handler = handlers[job.action]
      const parsed = handler.parse(job.input)
      if (!parsed.ok) throw new JobError('invalid_input', parsed.problem, { retryable: false })
      const effect = await tracker.runInScope(
        { jobId: job.id, userId: job.userId, action: job.action, run: job.run },
        () =>
          handler.process({
            id: job.id,
            user: { id: job.userId, role: job.userRole },
            action: job.action,
            origin: job.origin,
            input: parsed.input,
            run: job.run,
            threadId: job.threadId,
            signal,
            log: jobLog,
            progress: reporter.report,
            partial: (text) => {
              partial = text
            }
          })
      )
      signal.throwIfAborted()
      const committed = await commitInTurn(job.userId, effect.isLarge === true, signal, () =>
        lifecycle.complete(job.id, job.run, effect, reporter.last())
      )
      return { kind: 'done', status: committed ? 'completed' : 'over' }
    } catch (error) {
      if (signal.aborted) return await aborted(job, signal.reason, partial)
      const jobError = classify(error)
      jobLog.warn(
        { code: jobError.code, retryable: jobError.retryable, err: jobError.code === 'internal' ? error : undefined },
        'job attempt failed'
      )
      const end = await lifecycle.fail(job, jobError, reporter.last())
      if (end === 'lost') return { kind: 'done', status: 'over' }
      if (end === 'failed') return { kind: 'failed', code: jobError.code }
      return { kind: 'later', delayMs: end.delayMs }
    } finally {
      reporter.stop()
      remove()
    }
  }

  /** Cancelled or overtaken: keep what a cancelled run had. Shutting down: give the run back without an attempt used. */
  async function aborted(job: StartedJob, reason: unknown, partial: string | undefined): Promise<Outcome> {
    if (reason instanceof RunAborted && reason.reason === 'shutdown') {
      const released = await lifecycle.release(job)
      return released ? { kind: 'later', delayMs: 0 } : { kind: 'done', status: 'over' }
    }
    if (partial !== undefined && partial !== '') {
      await store.keepPartial(job.id, job.run, { message: { role: 'assistant', content: partial }, partial: true })
    }
    await store.markOvertaken([job])
    return { kind: 'done', status: 'cancelled' }
  }
}
