import { envelopeFor, streamedChat, wholeChat } from './chat.ts'
import { DONE } from './chat-wire.ts'
import { isObject, type Json } from './check.ts'
import { type Clock, untilAborted } from './clock.ts'
import type { Computed } from './compute.ts'
import type { Computing } from './computing.ts'
import { badRequest, faultRefusal, Refusal, unauthorized, unknownUrl, unparsable, wrongMethod } from './errors.ts'
import type { Fault, FaultBox } from './faults.ts'
import { requestIdOf } from './ids.ts'
import type { Invoice, InvoiceLine } from './invoice.ts'
import type { Limiter } from './limits.ts'
import type { Manner } from './manners/manner.ts'
import { manners } from './manners/manners.ts'
import { spoken, spokenStream } from './manners/speak.ts'
import { findModel, modelObject, offlineModels } from './models.ts'
import type { PromptCache } from './prompt-cache.ts'
import type { ScriptBox } from './scripts.ts'
import type { OfflineSettings } from './settings.ts'
import { ConnectionLost, wholeBody, type WireReply, type WireRequest } from './transport.ts'
import { createPace, type Work } from './work.ts'

type Needs = {
  clock: Clock
  settings: () => OfflineSettings
  invoice: Invoice
  faults: FaultBox
  scripts: ScriptBox
  limiter: Limiter
  promptCache: PromptCache
  computing: Computing
}

type Chat = Extract<Computed, { kind: 'chat' }>
type Embeddings = Extract<Computed, { kind: 'embeddings' }>
type Handler = (request: WireRequest) => Promise<WireReply>

const CHAT = '/v1/chat/completions'
const EMBEDDINGS = '/v1/embeddings'

/** The provider without a transport: a request in, an answer out, a line on the invoice. */
export function createCore(needs: Needs): Handler {
  return async function handle(request) {
    const { clock } = needs
    const requestId = requestIdOf()
    const begunAt = clock.now()
    const common = (): Record<string, string> => ({
      'x-request-id': requestId,
      'openai-processing-ms': String(clock.now() - begunAt),
      'openai-organization': 'offline',
      'openai-version': '2020-10-01'
    })
    const billable = request.method === 'POST' && (request.path === CHAT || request.path === EMBEDDINGS)
    const line = billable ? beginLine(needs.invoice, request, requestId) : undefined
    try {
      await clock.sleep(0, request.signal)
      authorize(request, needs.settings().apiKey)
      const reply = line ? await answer(needs, request, line) : catalogue(request)
      if (line) line.status = reply.status
      return { ...reply, headers: { ...reply.headers, ...common() } }
    } catch (error) {
      if (line) closeLine(needs.invoice, line, error, request.signal)
      if (!(error instanceof Refusal)) throw error
      const headers = { ...common(), 'content-type': 'application/json', ...error.headers }
      const { raw } = error
      const text = typeof raw === 'string' ? raw : JSON.stringify(raw ?? { error: error.body }, null, 2)
      return { status: error.status, headers, body: wholeBody(text) }
    }
  }
}

function beginLine(invoice: Invoice, request: WireRequest, requestId: string): InvoiceLine {
  return invoice.begin({
    path: request.path,
    requestId,
    clientRequestId: request.headers['x-client-request-id'] ?? null
  })
}

/** A refusal bills nothing; a client that went away pays for what was produced. */
function closeLine(invoice: Invoice, line: InvoiceLine, error: unknown, signal: AbortSignal): void {
  if (error instanceof Refusal) line.status = error.status
  else if (error instanceof ConnectionLost) line.cut = true
  else if (signal.aborted) line.aborted = true
  invoice.finish(line)
}

function authorize({ headers }: WireRequest, apiKey: string | null): void {
  if (apiKey === null) return
  const sent = /^Bearer\s+(.+)$/i.exec(headers['authorization'] ?? '')?.[1]
  if (sent !== apiKey) throw unauthorized(sent)
}

/** Everything that is no work of a model. */
function catalogue({ method, path }: WireRequest): WireReply {
  if (path === CHAT || path === EMBEDDINGS) throw wrongMethod(method, path)
  const model = /^\/v1\/models(?:\/([^/]+))?$/.exec(path)
  if (!model) throw unknownUrl(method, path)
  if (method !== 'GET') throw wrongMethod(method, path)
  const body =
    model[1] === undefined
      ? { object: 'list', data: offlineModels.map(modelObject) }
      : modelObject(findModel(decodeURIComponent(model[1])))
  return json(JSON.stringify(body))
}

function json(text: string): WireReply {
  return { status: 200, headers: { 'content-type': 'application/json' }, body: wholeBody(text) }
}

async function answer(needs: Needs, request: WireRequest, line: InvoiceLine): Promise<WireReply> {
  const body = parseBody(request.body)
  if (typeof body['model'] === 'string') line.model = body['model']
  if (typeof body['user'] === 'string') line.user = body['user']
  line.stream = body['stream'] === true
  const fault = needs.faults.strike({ path: request.path, model: line.model ?? '', body: request.body })
  if (fault?.kind === 'status') throw faultRefusal(fault, line.model ?? '')
  const kind = request.path === CHAT ? 'chat' : 'embeddings'
  const manner: Manner | undefined = fault?.kind === 'manner' ? manners[fault.name] : undefined
  line.manner = fault?.kind === 'manner' ? fault.name : null
  const read = manner?.request?.(body) ?? body
  if (fault?.kind === 'manner' && fault.streams === false)
    for (const name of ['stream', 'stream_options']) delete read[name]
  const computed = await needs.computing({ kind, body: read }, request.body.length, request.signal)
  const { latencyMs, tokenMs, limits } = needs.settings()
  const wanted =
    computed.kind === 'chat' ? computed.prepared.prompt.length + askedFor(read) : computed.call.promptTokens
  const limitHeaders = needs.limiter.take(line.model ?? '', wanted, limits)
  const work: Work = {
    line,
    signal: request.signal,
    clock: needs.clock,
    latencyMs,
    pace: createPace(needs.clock, tokenMs, request.signal),
    fault,
    manner
  }
  await breakBefore(fault, work)
  const reply = computed.kind === 'chat' ? await chat(needs, computed, work) : await embeddings(needs, computed, work)
  const sent = manner?.reply?.(reply, work) ?? reply
  return { ...sent, headers: { ...limitHeaders, ...sent.headers } }
}

function parseBody(text: string): Json {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    throw unparsable()
  }
  if (!isObject(body)) throw badRequest('Invalid type: expected an object.')
  return body
}

const askedFor = (body: Json): number => Number(body['max_completion_tokens'] ?? body['max_tokens'] ?? 0)

/** Faults that come before any work is done. */
async function breakBefore(fault: Fault | undefined, { signal }: Work): Promise<void> {
  if (fault?.kind === 'reset' && !fault.billed) throw new ConnectionLost()
  if (fault?.kind === 'hang' && !fault.billed) await untilAborted(signal)
}

/** Faults that come after the work was done, or instead of its last part. */
async function breakAfter({ fault, signal }: Work): Promise<void> {
  if (fault?.kind === 'reset') throw new ConnectionLost()
  if (fault?.kind === 'hang') await untilAborted(signal)
}

async function chat(needs: Needs, { prepared, draft }: Chat, work: Work): Promise<WireReply> {
  const { line, fault, manner, clock } = work
  line.promptTokens = prepared.prompt.length
  line.cachedTokens = needs.promptCache.look(prepared.call.model.id, prepared.prompt)
  const envelope = envelopeFor(prepared, draft, needs.scripts, clock.now(), manner?.draft)
  await clock.sleep(work.latencyMs, work.signal)
  if (prepared.call.stream && fault?.kind !== 'reset' && fault?.kind !== 'hang') {
    const headers = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' }
    const usual = fault?.kind === 'malformed' ? brokenEvents() : streamedChat(envelope, work)
    const events = manner ? spokenStream(usual, manner, work) : usual
    return { status: 200, headers, body: billed(events, needs.invoice, work) }
  }
  const text = spoken(await wholeChat(envelope, work), manner?.whole, work)
  await breakAfter(work)
  return finished(text, needs.invoice, work)
}

async function embeddings(needs: Needs, { call, text }: Embeddings, work: Work): Promise<WireReply> {
  work.line.promptTokens = call.promptTokens
  await work.clock.sleep(work.latencyMs, work.signal)
  await breakAfter(work)
  return finished(spoken(text, work.manner?.embeddings, work), needs.invoice, work)
}

function finished(text: string, invoice: Invoice, work: Work): WireReply {
  const { fault, line } = work
  if (fault?.kind === 'malformed') {
    invoice.finish(line)
    return json(text.slice(0, Math.floor(text.length * 0.6)))
  }
  if (fault?.kind === 'cut') {
    line.cut = true
    return { ...json(''), body: billed(brokenBody(text), invoice, work) }
  }
  invoice.finish(line)
  return json(text)
}

async function* brokenBody(text: string): AsyncGenerator<string> {
  yield text.slice(0, Math.floor(text.length / 2))
  throw new ConnectionLost()
}

async function* brokenEvents(): AsyncGenerator<string> {
  yield 'data: {"id":"chatcmpl-broken","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"con\n\n'
}

/**
 * A body whose end, good or bad, closes its line on the invoice, also when the reader goes away in the middle or before
 * the first piece.
 */
function billed(body: AsyncGenerator<string>, invoice: Invoice, { line, signal }: Work): AsyncIterableIterator<string> {
  let ended = false
  const end = (aborted: boolean) => {
    if (ended) return
    ended = true
    line.aborted = aborted
    invoice.finish(line)
  }
  signal.addEventListener('abort', () => end(true), { once: true })
  const done = { done: true, value: undefined } as const
  return {
    [Symbol.asyncIterator]() {
      return this
    },
    async next() {
      if (ended) return done
      try {
        const step = await body.next()
        if (step.done || step.value === DONE) end(false) // a client may leave as soon as it has seen the last event
        return step
      } catch (error) {
        end(!(error instanceof ConnectionLost))
        throw error
      }
    },
    async return() {
      end(true)
      await body.return(undefined)
      return done
    }
  }
}
