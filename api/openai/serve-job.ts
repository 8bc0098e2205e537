import { setTimeout as delay } from 'node:timers/promises'
import type { Response } from 'express'
import { type AiAction, actionOf } from '../../lib/actions/actions.ts'
import { isOutage } from '../../lib/errors/outage.ts'
import type { JobWaiter } from '../../lib/events/job-waiter.ts'
import { newId } from '../../lib/ids.ts'
import type { Jobs } from '../../lib/jobs/jobs.ts'
import type { JobView } from '../../lib/schemas/job.ts'
import { pause } from '../../lib/time/pause.ts'
import { hasEnded } from '../await-job.ts'
import type { EndpointInput, Reply } from '../endpoint.ts'
import { readIdempotency, requestHashOf } from '../idempotency.ts'
import type { Submit } from '../submit.ts'
import { jobHeader } from './job-header.ts'
import type { LostAnswers } from './lost-answers.ts'

/** The job of a request whose client waits for it. */
export type ServedJob = {
  job: JobView
  /** aborted when nobody waits any more: the client has gone, or its credential ended */
  over: AbortSignal
  /** Resolves when the job has ended. @throws the reason of `over` */
  ended(): Promise<JobView>
  /** Cancels the job, unless it outlives its client: its answer can be of no use to this one. */
  giveUp(): Promise<void>
}

export type ServeJob = (
  request: EndpointInput,
  wanted: { action: AiAction; input: unknown; outlivesClient?: boolean },
  answer: (served: ServedJob) => Promise<Reply>
) => Promise<Reply>

export type ServeJobNeeds = {
  jobs: Pick<Jobs, 'find' | 'cancel'>
  submit: Submit
  waiter: JobWaiter
  lost: LostAnswers
  /** aborted when the server goes away: what runs goes on then, and its client comes back elsewhere */
  goingAway: AbortSignal
}

/**
 * When a client that tries again by itself comes back: its first wait is at most half a second. Cancelling takes less
 * than the rest of the second within which the money has to stop.
 */
const comesBackWithinMs = 600
const lookEveryMs = 15_000
/** How long a job that cannot be read meanwhile is waited for, and how often it is looked at then. */
const outageMs = 30_000
const outageLookMs = 500

/** A key that no client can send: keys of clients are printable. */
const keyOfItsOwn = () => `\u0001${newId()}`

/**
 * Makes a request a job, and answers when it has ended. A client that goes away takes its job with it, unless the job
 * outlives it: because it is stored, or because the client gave an `Idempotency-Key` under which it can come back, or
 * because it is here again already.
 */
export function createServeJob({ jobs, submit, waiter, lost, goingAway }: ServeJobNeeds): ServeJob {
  async function readPatiently(request: EndpointInput, id: string): Promise<JobView> {
    const deadline = Date.now() + outageMs
    for (;;) {
      try {
        return await jobs.find(request.actor, id)
      } catch (error) {
        if (!isOutage(error) || Date.now() > deadline) throw error
        await delay(outageLookMs)
      }
    }
  }

  async function untilEnded(request: EndpointInput, job: JobView, over: AbortSignal): Promise<JobView> {
    let now = job
    while (!hasEnded(now)) {
      const end = await waiter.wait(job.id, lookEveryMs, over)
      over.throwIfAborted()
      if (end === 'ended') now = await readPatiently(request, job.id)
    }
    return now
  }

  /** The job that a marked repetition is about. */
  async function jobOfLostAnswer(request: EndpointInput, requestHash: string): Promise<JobView | undefined> {
    if (!(Number(request.req.get('x-stainless-retry-count')) > 0)) return undefined
    const id = await lost.find(request.actor.id, requestHash)
    return id === undefined ? undefined : await jobs.find(request.actor, id)
  }

  return async (request, { action, input, outlivesClient = false }, answer) => {
    const { actor, req, res, signal } = request
    const keyed = readIdempotency(req, request.bodyHash)
    const requestHash = requestHashOf(req, request.bodyHash)
    const again = keyed ? undefined : await jobOfLostAnswer(request, requestHash)
    const joinedAs = again && (await lost.join(again.id))
    const job =
      again ??
      (await submit(request, {
        action,
        input,
        references: actionOf(action).references(input),
        idempotency: keyed ?? { key: keyOfItsOwn(), requestHash, isOnce: true }
      }))
    request.bodyDone()
    res.set(jobHeader, job.id)
    if (!keyed) res.once('finish', () => lost.delivered(job.id))

    const gone = goneSignal(res)
    const over = AbortSignal.any([gone, signal])
    const mayCancel = !outlivesClient && !keyed
    try {
      return await answer({ job, over, ended: () => untilEnded(request, job, over), giveUp })
    } catch (error) {
      if (!over.aborted) throw error
      if (mayCancel && !goingAway.aborted) await cancelUnlessBack()
      if (gone.aborted) return 'streamed' // nobody is there to be answered
      throw error
    }

    async function giveUp(): Promise<void> {
      if (mayCancel && !(await lost.isWantedByOthers(job.id, joinedAs))) await jobs.cancel(actor, job.id)
    }

    async function cancelUnlessBack(): Promise<void> {
      // Whoever has got the beginning of an answer does not ask for it again.
      const mayComeBack = gone.aborted && !res.headersSent && req.get('x-stainless-retry-count') !== undefined
      if (mayComeBack) await pause(comesBackWithinMs, goingAway)
      if (!goingAway.aborted) await giveUp()
    }
  }
}

/** Aborted when the connection of an answer that is not finished has closed. */
function goneSignal(res: Response): AbortSignal {
  const gone = new AbortController()
  const onClose = () => {
    if (!res.writableFinished) gone.abort()
  }
  if (res.closed || res.destroyed) onClose()
  else res.once('close', onClose)
  return gone.signal
}
