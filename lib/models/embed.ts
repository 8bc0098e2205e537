import OpenAI from 'openai'
import { isAboutMember } from '../batches/about-member.ts'
import { JobError } from '../errors/job-error.ts'
import { estimateTokens } from '../text/token-estimate.ts'
import { createTurns } from '../sharing/turns.ts'
import type { Ledger } from '../store/money/ledger.ts'
import type { TokenUsage } from '../money.ts'
import type { UsageScope, UsageTracker } from '../usage/tracker.ts'
import { apportion } from './apportion.ts'
import { askEmbeddings, embeddingsRequest } from './ask-embeddings.ts'
import { beginCall } from './begin-call.ts'
import { type Bookings, emptySettlement } from './booking.ts'
import type { Dialect } from './dialect.ts'
import { type Dealt, deal, type EmbeddingsReply, toldTokens } from './embeddings-reply.ts'
import { gather } from './gather.ts'
import { inputHash } from './input-hash.ts'
import { isAboutNumbers, malformed, providerFailure } from './provider-error.ts'
import { embeddingDimensions } from './embedding-dimensions.ts'
import type { ProviderGuard } from './provider-guard.ts'
import { andWithout, refusedParameters, type Without } from './refused-parameters.ts'
import { decodeVector, encodeVector } from '../vector-text.ts'

/** Failures of one member of a gathered call, found before the call is made. */
const ownFailures = new Set(['budget_exhausted', 'run_lost'])
/** Requests with large calls at once, and those of one person: small ones wait for none of them. */
const largeAtOnce = 8
const largeOfOwner = 4
/** A job that waits for its large request holds one of its own places, nobody else's. */
const longestWaitMs = 120_000
/** What a request may take longer than the provider: its intent and its settlement. */
const bookingMs = 30_000
/** Calls that come within this time share one request: far below what anyone notices, enough to catch a burst. */
const defaultGatherMs = 4

export type EmbedCall = { step: string; texts: string[]; signal: AbortSignal }
export type EmbedAnswer = {
  model: string
  vectors: number[][]
  /** how many of the vectors had been paid for by an earlier run of the job */
  reused: number
}

type Member = {
  scope: UsageScope
  owner: string
  inputs: number
  step: string
  hash: string
  texts: string[]
  tokens: number
  signal: AbortSignal
  resolve(vectors: number[][]): void
  reject(error: unknown): void
}

/**
 * Embeddings through the ledger. Concurrent calls of a process are gathered into one provider request whose cost is
 * shared by tokens, large ones apart and in turn; the request is aborted only when all its members are, and a member that is aborted leaves at once.
 */
export function createEmbed({
  openai,
  model,
  tracker,
  ledger,
  bookings,
  guard,
  dialect,
  timeoutMs,
  gatherMs = defaultGatherMs
}: {
  openai: OpenAI
  model: string
  tracker: UsageTracker
  ledger: Ledger
  bookings: Bookings
  guard: ProviderGuard
  dialect: Dialect
  timeoutMs: number
  gatherMs?: number
}) {
  let waiting: Member[] = []
  const turns = createTurns({
    name: 'large embedding requests',
    places: largeAtOnce,
    placesOfOwner: largeOfOwner,
    longestWaitMs,
    longestTurnMs: timeoutMs + bookingMs
  })

  async function embed({ step, texts, signal }: EmbedCall): Promise<EmbedAnswer> {
    const scope = tracker.current()
    if (texts.length === 0) return { model, vectors: [], reused: 0 }
    const hash = inputHash({ model, texts })
    const stored = (await ledger.findResponse(scope.jobId, step, hash)) as string[] | undefined
    if (stored) return { model, vectors: stored.map(decodeVector), reused: stored.length }
    signal.throwIfAborted()
    // Enough to share a request and its cost by: counting 5 MiB takes seconds, and the provider says what it took.
    const tokens = texts.reduce((sum, text) => sum + estimateTokens(text), 0)
    const vectors = await new Promise<number[][]>((resolve, reject) => {
      const member: Member = {
        scope,
        owner: scope.userId,
        inputs: texts.length,
        step,
        hash,
        texts,
        tokens,
        signal,
        resolve,
        reject
      }
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      if (waiting.push(member) === 1) setTimeout(flush, gatherMs)
    })
    return { model, vectors, reused: 0 }
  }

  function flush(): void {
    const members = present(waiting)
    waiting = []
    for (const { calls, owner } of gather(members)) void (owner === undefined ? send(calls) : sendLarge(calls, owner))
  }

  /** In turn with the large requests of others; settles each member's promise, as `send` does. */
  async function sendLarge(members: Member[], owner: string): Promise<void> {
    await turns
      .run(owner, () => send(members), allAborted(members))
      .catch((error: unknown) => {
        for (const member of members) member.reject(error)
      })
  }

  /**
   * One provider request for these members; settles each of their promises and never throws itself.
   * @param asked what it goes without, and whether it was asked before and not understood
   */
  async function send(members: Member[], asked?: { without: Without; isSecond: boolean }): Promise<void> {
    if (members.length === 0) return
    let paid = false
    try {
      const { without, isSecond } = asked ?? { without: await dialect.known(model), isSecond: false }
      const signal = allAborted(members)
      const tokens = members.reduce((sum, member) => sum + member.tokens, 0)
      const shares = members.map((member) => ({
        scope: member.scope,
        step: member.step,
        inputHash: member.hash,
        inputBytes: member.texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
      }))
      const booking = await beginCall({
        guard,
        bookings,
        kind: 'embedding',
        model,
        tokens,
        maxOutputTokens: 0,
        shares,
        signal
      })
      const texts = members.flatMap((member) => member.texts)
      const body = embeddingsRequest(model, texts, without)
      let reply: EmbeddingsReply
      try {
        reply = await askEmbeddings(openai, body, {
          signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
          id: booking.id
        })
      } catch (error) {
        const failure = providerFailure(error)
        await booking.settle(emptySettlement(failure.charge, failure.error.code, members.length))
        await (signal.aborted ? guard.leave(model) : guard.report(model, failure))
        const refused = refusedParameters(error, body).filter((name) => !without.has(name))
        if (refused.length > 0) return await send(present(members), { without: andWithout(without, refused), isSecond })
        // One member's bad input must not fail the others.
        if (members.length > 1 && isAboutInput(error)) return await sendHalves(members)
        throw failure.error
      }
      paid = true
      const told = toldTokens(
        reply,
        shares.reduce((sum, { inputBytes }) => sum + inputBytes, 0),
        texts.length
      )
      const promptTokens = told ?? tokens
      const answers = deal(reply, members, embeddingDimensions)
      const problem = answers.find((answer) => 'problem' in answer)
      const settled = {
        state: told === undefined ? ('estimated' as const) : ('settled' as const),
        usage: inputTokens(promptTokens),
        requestId: reply.requestId,
        error: problem ? 'provider_malformed' : undefined
      }
      const parts = apportion(
        promptTokens,
        members.map((member) => member.tokens)
      )
      const booked = parts.map((part, index) => {
        const answer = answers[index] as Dealt
        return {
          usage: inputTokens(part),
          ...('vectors' in answer ? { response: answer.vectors.map(encodeVector) } : {})
        }
      })
      await booking.settle({ ...settled, shares: booked }).catch(async (error: unknown) => {
        // The money is spent, and the answers are here: only a later run would have to ask again.
        if (!isAboutMember(error)) throw error
        await booking.settle({ ...settled, shares: booked.map(({ usage }) => ({ usage })) })
      })
      await guard.report(model, undefined)
      if (!problem) await dialect.helped(model, without)
      const unlucky = members.filter((member, index) => {
        const answer = answers[index] as Dealt
        if ('vectors' in answer) member.resolve(answer.vectors)
        return 'problem' in answer
      })
      if (!problem) return
      // Once more, as plain numbers: some servers answer base64 with nothing, or with floats of another size. Nothing
      // else can help a model of other dimensions.
      if (!isSecond && !('isWidth' in problem && without.has('encoding_format'))) {
        return await send(present(unlucky), { without: andWithout(without, ['encoding_format']), isSecond: true })
      }
      throw malformed(problem.problem)
    } catch (error) {
      // An empty budget and a lost run are one member's own, and so is what the database will not book for it.
      if (members.length > 1 && !paid && isOwnFailure(error)) return await sendHalves(members)
      for (const member of members) member.reject(error)
    }
  }

  /** Down to the member that fails alone; each half is a request of its own, with its own intent and settlement. */
  async function sendHalves(members: Member[]): Promise<void> {
    const half = members.length >> 1
    await Promise.all([members.slice(0, half), members.slice(half)].map((part) => send(present(part))))
  }

  return embed
}

const present = (members: Member[]): Member[] => members.filter(({ signal }) => !signal.aborted)

/**
 * Bad request, too large, unprocessable (RFC 9110, 15.5), or a model without numbers for a text: a key or model that is
 * refused would be so for each half too.
 */
const isAboutInput = (error: unknown): boolean =>
  error instanceof OpenAI.APIError && ([400, 413, 422].includes(error.status ?? 0) || isAboutNumbers(error))

const isOwnFailure = (error: unknown): boolean =>
  (error instanceof JobError && ownFailures.has(error.code)) || isAboutMember(error)

const inputTokens = (promptTokens: number): TokenUsage => ({
  promptTokens,
  cachedTokens: 0,
  completionTokens: 0,
  reasoningTokens: 0
})

/** Aborted once every member's signal is. */
function allAborted(members: Member[]): AbortSignal {
  const controller = new AbortController()
  let left = members.length
  for (const { signal } of members) {
    const leave = () => {
      left -= 1
      if (left === 0) controller.abort(signal.reason)
    }
    if (signal.aborted) leave()
    else signal.addEventListener('abort', leave, { once: true })
  }
  return controller.signal
}
