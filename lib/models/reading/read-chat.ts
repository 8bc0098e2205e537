import OpenAI from 'openai'
import { JobError } from '../../errors/job-error.ts'
import { brokenOff, malformed } from '../provider-error.ts'
import type { Answer, ChatReading } from './chat-reading.ts'
import { createFeed } from './feed.ts'
import { wireBytesFor } from './limits.ts'

/** What came of an answer: what it says, or the failure of the provider that kept it from being one. */
export type Outcome = { ok: true; answer: Answer } | { ok: false; error: unknown; bytes: number }

/** What follows the end of an answer is read for so long, so that its connection can be used again. */
const drainMs = 1_000
const drainBytes = 64 * 1024

/**
 * Reads the answer to a chat request from its body. Reading stops at the end of the answer, at the tokens that the call
 * may take, and at the bytes that an answer may have; at the last two the request is aborted and what came is kept.
 * Nothing that the provider does makes it throw: what it throws is an error of ours.
 */
export async function readChat(
  body: ReadableStream<Uint8Array> | null,
  reading: ChatReading,
  { grantedTokens, abort }: { grantedTokens: number; abort: () => void }
): Promise<Outcome> {
  if (!body) return { ok: false, error: malformed('nothing'), bytes: 0 }
  const reader = body.getReader()
  const decoder = new TextDecoder()
  const feed = createFeed(reading)
  const mostBytes = wireBytesFor(grantedTokens)
  let bytes = 0
  try {
    for (;;) {
      const step = await reader.read().catch((cause: unknown) => ({ broken: cause }))
      if ('broken' in step) return broken(step.broken)
      bytes += step.value?.byteLength ?? 0
      feed.push(decoder.decode(step.value, { stream: !step.done }))
      if (step.done) feed.end()
      if (reading.isOver() && !step.done) void drain(reader)
      if (reading.isOver() || step.done) return ended()
      if (reading.exceedsGrant() || bytes > mostBytes) {
        abort()
        return { ok: true, answer: reading.answer({ isCut: true }) }
      }
    }
  } catch (error) {
    abort()
    if (error instanceof JobError || error instanceof OpenAI.APIError) return { ok: false, error, bytes }
    throw error
  }

  /** A stream that says neither why it ended nor what it took was cut, however orderly. */
  function ended(): Outcome {
    if (!reading.hasEnded()) throw malformed('an answer without its end')
    return { ok: true, answer: reading.answer() }
  }

  /** What breaks behind the end of an answer breaks nothing. */
  function broken(cause: unknown): Outcome {
    if (reading.hasEnded()) return { ok: true, answer: reading.answer() }
    return { ok: false, error: brokenOff(cause), bytes }
  }
}

async function drain(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  const timer = setTimeout(() => void reader.cancel().catch(() => undefined), drainMs)
  try {
    for (let bytes = 0; bytes < drainBytes; ) {
      const { done, value } = await reader.read()
      if (done) return
      bytes += value.byteLength
    }
    await reader.cancel()
  } catch {
    // the answer is complete whatever becomes of its connection
  } finally {
    clearTimeout(timer)
  }
}
