import type { Response } from 'express'
import type { DeltaFeed } from '../../lib/events/delta-feed.ts'
import type { JobView } from '../../lib/schemas/job.ts'
import type { Reply } from '../endpoint.ts'
import type { ChatAnswer } from './chat-answer.ts'
import type { chunkWriter } from './chat-wire.ts'
import { openChunkStream } from './chunk-stream.ts'
import { errorBody } from './errors.ts'
import { failureOf } from './job-failure.ts'
import type { ServedJob } from './serve-job.ts'
import { createSteadyText } from './steady-text.ts'
import { WireError } from './wire-error.ts'

const beatMs = 15_000

/**
 * Streams a chat while it is made: its text as it comes, and at its end what else it came to. What the job's deltas lack
 * the result has. A failure before anything was sent is thrown, to be answered by its status.
 */
export async function streamChat({
  served,
  res,
  deltas,
  chunks,
  answerOf
}: {
  served: ServedJob
  res: Response
  deltas: Pick<DeltaFeed, 'follow'>
  chunks: ReturnType<typeof chunkWriter>
  answerOf: (job: JobView) => ChatAnswer
}): Promise<Reply> {
  const out = openChunkStream(res)
  let hasFirst = false
  const text = createSteadyText((piece) => {
    if (!hasFirst) out.send(chunks.first(true))
    hasFirst = true
    out.send(chunks.text(piece))
  })
  const broken = Promise.withResolvers<'broken'>()
  const following = deltas.follow(served.job.id, undefined, (delta) => {
    if (!text.take(delta)) broken.resolve('broken')
  })
  const beating = setInterval(out.beat, beatMs)
  try {
    const job = await Promise.race([served.ended(), broken.promise])
    following.stop()
    if (job === 'broken') throw await beganAnew(served)
    if (job.status !== 'completed') throw failureOf(job)
    const answer = answerOf(job)
    if (!text.finish(answer.content)) throw await beganAnew(served)
    if (!hasFirst) out.send(chunks.first(answer.toolCalls.length === 0))
    for (const chunk of chunks.last(answer)) out.send(chunk)
    out.end(true)
    return 'streamed'
  } catch (error) {
    if (!(error instanceof WireError) || !out.hasBegun()) throw error
    out.send(errorBody(error))
    out.end(false)
    return 'streamed'
  } finally {
    clearInterval(beating)
    following.stop()
  }
}

/** Another try of the job said something else than what is with the client already, which cannot be unsaid. */
async function beganAnew({ giveUp }: ServedJob): Promise<WireError> {
  await giveUp()
  const message = 'The provider broke off, and began another answer than the one that was sent so far'
  return new WireError(502, { message, code: 'stream_interrupted' })
}
