import type OpenAI from 'openai'
import { isAboutMember } from '../batches/about-member.ts'
import { JobError } from '../errors/job-error.ts'
import type { Ledger } from '../store/money/ledger.ts'
import type { PicoUsd, TokenUsage } from '../money.ts'
import type { UsageTracker } from '../usage/tracker.ts'
import { adaptRequest } from './adapt-request.ts'
import { beginCall } from './begin-call.ts'
import { type Booking, type Bookings, emptySettlement } from './booking.ts'
import { asStream, type ChatCall, type ChatRequest, mayGoWithout, toRequest, wantsJson } from './chat-request.ts'
import type { Dialect } from './dialect.ts'
import { inputHash } from './input-hash.ts'
import { type ProviderFailure, providerFailure } from './provider-error.ts'
import type { ProviderGuard } from './provider-guard.ts'
import { type Answer, type ChatReading, createChatReading } from './reading/chat-reading.ts'
import { type Outcome, readChat } from './reading/read-chat.ts'
import { completed, isComplete } from './reading/usage.ts'
import { andWithout, refusedParameters, type Without } from './refused-parameters.ts'
import { countTokensInTurns } from './tokens.ts'

export type ChatAnswer = Answer & {
  usage: TokenUsage
  costPico: PicoUsd
  /** true when the answer had been paid for by an earlier run of the job */
  reused: boolean
}

/** A body that cannot be read is taken for text of so many bytes a token. */
const bytesOfToken = 4
const longestRequestId = 200

/**
 * Chat through the ledger: an answer that this job has already paid for is given back; otherwise one intent, one
 * request, one settlement.
 * @throws JobError for what the provider refused, broke off or wrote so that nobody can read it, the signal's reason
 *   when aborted
 */
export function createChat({
  openai,
  model,
  tracker,
  ledger,
  bookings,
  guard,
  dialect,
  timeoutMs
}: {
  openai: OpenAI
  model: string
  tracker: UsageTracker
  ledger: Ledger
  bookings: Bookings
  guard: ProviderGuard
  dialect: Dialect
  timeoutMs: number
}) {
  /** Whether the model was seen to end thoughts that it did not begin: its text waits for their end from then on. */
  let thinksUnopened = false

  return chat

  /** @param without what the provider is asked without, once it has refused it */
  async function chat(call: ChatCall, without?: Without): Promise<ChatAnswer> {
    const scope = tracker.current()
    const request = toRequest(model, call)
    const hash = inputHash(request)
    const stored = (await ledger.findResponse(scope.jobId, call.step, hash)) as
      | (Answer & { usage: TokenUsage })
      | undefined
    if (stored) {
      call.onDelta?.(stored.content)
      return { ...stored, costPico: 0n, reused: true }
    }
    const inputBytes = Buffer.byteLength(JSON.stringify(request))
    const maxOutputTokens = request.max_completion_tokens
    const mayLeave = mayGoWithout(call)
    const left: Without = without ?? new Set([...(await dialect.known(model))].filter(mayLeave))
    const booking = await beginCall({
      guard,
      bookings,
      kind: 'chat',
      model,
      tokens: Math.ceil(inputBytes / 4) + maxOutputTokens,
      maxOutputTokens,
      shares: [{ scope, step: call.step, inputHash: hash, inputBytes }],
      signal: call.signal
    })
    const timeout = AbortSignal.timeout(timeoutMs)
    const limit = new AbortController()
    const listener = tellingOf(call)
    const grantedTokens = booking.maxOutputTokens
    const body = adaptRequest(asStream({ ...request, max_completion_tokens: grantedTokens }), left)
    let response: Response
    try {
      response = await openai.chat.completions
        .create(body, {
          signal: AbortSignal.any([call.signal, timeout, limit.signal]),
          headers: { 'x-client-request-id': booking.id }
        })
        .asResponse()
    } catch (error) {
      const failure = providerFailure(error)
      await booking.settle(emptySettlement(failure.charge, failure.error.code, 1))
      const ended = await failed(failure, call.signal, timeout)
      const more = refusedParameters(error, body).filter((name) => !left.has(name) && mayLeave(name))
      if (more.length > 0 && !call.signal.aborted) return await chat(call, andWithout(left, more))
      throw ended
    }

    const requestId = response.headers.get('x-request-id')?.slice(0, longestRequestId)
    const reading = createChatReading({
      step: call.step,
      isJson: wantsJson(request),
      grantedTokens,
      thinksUnopened,
      onText: listener.tell
    })
    let outcome: Outcome
    try {
      outcome = await readChat(response.body, reading, { grantedTokens, abort: () => limit.abort() })
    } catch (error) {
      // A mistake of ours: what came is paid for, and nobody hears that the provider made one.
      await booking.settle({ ...(await partly(reading, request, 0)), requestId, error: 'internal' })
      await guard.leave(model)
      throw error
    }
    thinksUnopened = reading.hasUnopenedThought() ?? thinksUnopened
    if (!outcome.ok) {
      const failure = providerFailure(outcome.error)
      // An error in the place of an answer costs what one with its status would.
      const isRefused = failure.charge === 'refused' && !reading.hasReceived() && !isComplete(reading.told())
      await booking.settle(
        isRefused
          ? { ...emptySettlement('refused', failure.error.code, 1), requestId }
          : {
              ...(await partly(reading, request, Math.min(outcome.bytes / bytesOfToken, grantedTokens))),
              requestId,
              error: failure.error.code
            }
      )
      const ended = await failed(failure, call.signal, timeout)
      const more = isRefused
        ? refusedParameters(outcome.error, body).filter((name) => !left.has(name) && mayLeave(name))
        : []
      if (more.length > 0 && !call.signal.aborted) return await chat(call, andWithout(left, more))
      throw ended
    }

    const { state, usage } = await partly(reading, request, 0)
    const { answer } = outcome
    const costPico = await settleAnswer(booking, { state, usage, requestId, answer })
    await guard.report(model, undefined)
    await dialect.helped(model, left)
    listener.throwIfFailed()
    return { ...answer, usage, costPico, reused: false }

    /** What a failure is for the job, when others have heard of it. */
    async function failed(failure: ProviderFailure, signal: AbortSignal, timedOutBy: AbortSignal): Promise<unknown> {
      await (signal.aborted ? guard.leave(model) : guard.report(model, failure))
      if (signal.aborted) return signal.reason
      if (timedOutBy.aborted) return timedOut(timeoutMs)
      return failure.error.code === malformedCode ? await oncePerJob(failure.error) : failure.error
    }
  }

  /** What cannot be understood is asked for once more in a job, and not again: each time is paid for. */
  async function oncePerJob(error: JobError): Promise<JobError> {
    const failures = await ledger.failuresOf(tracker.current().jobId, malformedCode)
    return new JobError(error.code, error.message, { retryable: failures <= 1, cause: error.cause })
  }
}

const malformedCode = 'provider_malformed'

/** What an answer, or a part of one, took: as it says itself, else an estimate from what was sent and received. */
async function partly(reading: ChatReading, request: ChatRequest, unreadTokens: number) {
  const told = reading.told()
  if (isComplete(told) && reading.isToldInFull()) {
    return { state: 'settled' as const, usage: told, shares: [{ usage: told }] }
  }
  const received = reading.received() || Math.ceil(unreadTokens)
  // Without the call's signal: what was received has to be booked, whether or not the job goes on.
  const [promptTokens = 0] = await countTokensInTurns([JSON.stringify(promptOf(request))])
  const usage = completed(told, { promptTokens, completionTokens: received })
  // What was said on the way is less than what came by the end.
  if (!reading.isToldInFull()) usage.completionTokens = Math.max(usage.completionTokens, received)
  return { state: 'estimated' as const, usage, shares: [{ usage }] }
}

const promptOf = ({ messages, tools, response_format }: ChatRequest) => ({ messages, tools, response_format })

/** The money is spent and the answer is here: when it cannot be kept, it is used all the same. */
async function settleAnswer(
  booking: Booking,
  {
    answer,
    ...settled
  }: { answer: Answer; state: 'settled' | 'estimated'; usage: TokenUsage; requestId?: string | undefined }
): Promise<PicoUsd> {
  const { usage } = settled
  return await booking
    .settle({ ...settled, shares: [{ usage, response: { ...answer, usage } }] })
    .catch(async (error: unknown) => {
      if (!isAboutMember(error)) throw error
      return await booking.settle({ ...settled, shares: [{ usage }] })
    })
}

/** Tells a call its text. An error in whoever listens waits until the answer is paid for and kept. */
function tellingOf({ onDelta }: ChatCall) {
  let problem: { error: unknown } | undefined
  return {
    tell(text: string): void {
      if (problem) return
      try {
        onDelta?.(text)
      } catch (error) {
        problem = { error }
      }
    },
    throwIfFailed(): void {
      if (problem) throw problem.error
    }
  }
}

function timedOut(timeoutMs: number): JobError {
  return new JobError('provider_timeout', `the model provider did not answer within ${timeoutMs / 1000} s`, {
    retryable: true
  })
}
