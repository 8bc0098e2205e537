import type OpenAI from 'openai'
import { z } from 'zod'
import { askEmbeddings, embeddingsRequest } from '../../lib/models/ask-embeddings.ts'
import type { ChatCall } from '../../lib/models/client.ts'
import { embeddingDimensions } from '../../lib/models/embedding-dimensions.ts'
import { deal, type EmbeddingsReply, toldTokens } from '../../lib/models/embeddings-reply.ts'
import { providerFailure } from '../../lib/models/provider-error.ts'
import { andWithout, refusedParameters, type Without } from '../../lib/models/refused-parameters.ts'
import { type Asked, askChat } from './ask.ts'
import { type Finding, findingsOf, placeOf, reasonOf } from './findings.ts'

/** Room for models that think before they answer. */
const maxOutputTokens = 1_024

type Models = { chatModel: string; embeddingModel: string }

/**
 * Asks the chat model three things and the embedding model one, all at once: some hundred tokens in all.
 * @param learnt what workers have learnt of the models before, by model
 */
export async function examineProvider({
  openai,
  models,
  learnt,
  signal
}: {
  openai: OpenAI
  models: Models
  learnt: Record<string, { refused: string[]; state: string; retryAfterMs: number }> | undefined
  signal: AbortSignal
}): Promise<Finding[]> {
  const findings = findingsOf('provider')
  const { ok, todo } = findings
  const ask = (call: Omit<ChatCall, 'signal' | 'maxOutputTokens'>) =>
    askChat(openai, models.chatModel, { ...call, maxOutputTokens, signal })
  const [spoken, called, shaped, embedded] = await Promise.allSettled([
    ask({ step: 'doctor:text', messages: [user('Count from 1 to 12 in words, separated by commas.')] }),
    ask({
      step: 'doctor:tools',
      messages: [user('Which goals do I have? Call the tool list_goals to find out.')],
      tools: [listGoals],
      parallelToolCalls: false
    }),
    ask({
      step: 'doctor:json',
      messages: [user('Judge this code of a learner: print("hello"). Answer in JSON with a verdict and a summary.')],
      responseFormat: { name: 'verdict', schema: verdictJson }
    }),
    embed(openai, models.embeddingModel, signal)
  ])
  const server = placeOf(openai.baseURL)
  const all = [spoken, called, shaped, embedded]
  if (all.every((result) => result.status === 'rejected' && isUnreachable(result.reason))) {
    const why = reasonOf(rootOf((spoken as PromiseRejectedResult).reason))
    todo('reachable', `${server}: ${why}`, 'Start the server, or set OPENAI_BASE_URL to one that answers.')
    return findings.findings
  }
  ok('reachable', server)
  tellChat()
  tellTools()
  tellShape()
  tellEmbeddings()
  tellLearnt()
  return findings.findings

  function tellChat(): void {
    if (spoken.status === 'rejected') return failed('chat', 'CHAT_MODEL', models.chatModel, spoken.reason)
    const { answer, pieces, isStream, tellsUsage } = spoken.value
    if (answer.content.trim() === '') {
      const found = `${models.chatModel} answered nothing (${answer.finishReason})`
      todo('chat', found, 'Set CHAT_MODEL to a model that answers within a thousand tokens, its thoughts included.')
    } else ok('chat', `${models.chatModel} answers`)
    ok(
      'streaming',
      isStream && pieces > 1 ? 'piece by piece' : 'the whole at once: texts appear when they are complete'
    )
    ok('usage', tellsUsage ? 'told' : 'not told: calls are booked as estimated, from what was sent and received')
  }

  function tellTools(): void {
    if (called.status === 'rejected') {
      return failed(
        'tools',
        'CHAT_MODEL',
        models.chatModel,
        called.reason,
        'Choose a model and a server that take tools.'
      )
    }
    const calls = called.value.answer.toolCalls
    if (calls.some(({ name }) => name === 'list_goals')) ok('tools', 'called as asked')
    else todo('tools', 'none was called when asked to', 'Choose a model that calls tools: agents find nothing without.')
  }

  function tellShape(): void {
    if (shaped.status === 'rejected') return failed('structured output', 'CHAT_MODEL', models.chatModel, shaped.reason)
    const { answer, without } = shaped.value
    const how = without.has('response_format')
      ? 'by instructions, since the server refuses a schema'
      : 'as the schema has it'
    if (isVerdict(answer.content)) ok('structured output', how)
    else {
      const hint = 'Choose a model that follows a JSON schema: reviews and plans are asked for twice, then fail.'
      todo('structured output', 'the answer does not have the shape that was asked for', hint)
    }
  }

  function tellEmbeddings(): void {
    const { embeddingModel: model } = models
    if (embedded.status === 'rejected') return failed('embeddings', 'EMBEDDING_MODEL', model, embedded.reason)
    const { problem, tellsUsage } = embedded.value
    const hint = `Set EMBEDDING_MODEL to one whose vectors have ${embeddingDimensions} dimensions.`
    if (problem) return todo('embeddings', `${model}: ${problem}`, hint)
    ok('embeddings', `${model} gives ${embeddingDimensions} dimensions${tellsUsage ? '' : ', usage is estimated'}`)
  }

  function failed(name: string, variable: string, model: string, reason: unknown, hint?: string): void {
    const { error } = providerFailure(reason)
    const status = (rootOf(reason) as { status?: unknown }).status
    todo(
      name,
      `${model}: ${error.message}`,
      hints[String(status)]?.(variable) ?? hint ?? hints['other']?.(variable) ?? ''
    )
  }

  function tellLearnt(): void {
    const used = [spoken, called, shaped].flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    tellWithout(models.chatModel, withoutOf(used))
    const vectors = embedded.status === 'fulfilled' ? [...embedded.value.without] : []
    if (models.embeddingModel !== models.chatModel) tellWithout(models.embeddingModel, vectors)
    for (const model of new Set(Object.values(models))) {
      const { state = 'closed', retryAfterMs = 0 } = learnt?.[model] ?? {}
      if (state === 'closed') continue
      const wait = `${Math.ceil(retryAfterMs / 1_000)} s`
      ok(
        `workers on ${model}`,
        state === 'open' ? `found it down, and look again in ${wait}` : `pause for ${wait} as asked`
      )
    }
  }

  function tellWithout(model: string, now: string[]): void {
    const names = new Set([...now, ...(learnt?.[model]?.refused ?? [])].filter((name) => name !== 'limit'))
    ok(
      `asked of ${model}`,
      names.size === 0 ? 'with every parameter' : `without ${[...names].join(', ')}, which it refuses`
    )
  }
}

const user = (content: string) => ({ role: 'user' as const, content })

const listGoals = {
  type: 'function' as const,
  function: {
    name: 'list_goals',
    description: 'Lists the goals of the user.',
    parameters: { type: 'object', properties: {}, required: [], additionalProperties: false }
  }
}

const verdictSchema = z.object({ verdict: z.enum(['pass', 'needs_work', 'fail']), summary: z.string() })
const verdictJson = {
  type: 'object',
  properties: { verdict: { type: 'string', enum: ['pass', 'needs_work', 'fail'] }, summary: { type: 'string' } },
  required: ['verdict', 'summary'],
  additionalProperties: false
}

function isVerdict(text: string): boolean {
  try {
    return verdictSchema.safeParse(JSON.parse(text.trim().replace(/^```(?:json)?\s|```$/g, ''))).success
  } catch {
    return false
  }
}

/** What to do about a status. */
const hints: Record<string, (variable: string) => string> = {
  401: () => 'Set OPENAI_API_KEY to a key that this server takes.',
  402: () => 'Put money into the account at the provider.',
  403: (variable) => `Let this key use the model, or set ${variable} to another one.`,
  404: (variable) =>
    `Set ${variable} to a model that this server has, and OPENAI_BASE_URL to the address that ends in /v1.`,
  429: () => 'Wait, or raise the limits of the account; PROVIDER_LIMITS keeps the workers below them.',
  other: (variable) => `Look into the server's log, or set ${variable} to another model.`
}

const withoutOf = (asked: Asked[]): string[] => asked.flatMap(({ without }) => [...without])

const isUnreachable = (error: unknown): boolean => providerFailure(error).error.code === 'provider_unreachable'

/** The error below those that were thrown around it. */
function rootOf(error: unknown): unknown {
  let at = error
  while (at instanceof Error && at.cause instanceof Error) at = at.cause
  return at
}

type Embedded = { problem: string | undefined; tellsUsage: boolean; without: Without }

async function embed(
  openai: OpenAI,
  model: string,
  signal: AbortSignal,
  without: Without = new Set()
): Promise<Embedded> {
  const texts = ['What is a closure?', '¿Qué es un bucle?']
  const body = embeddingsRequest(model, texts, without)
  let reply: EmbeddingsReply
  try {
    reply = await askEmbeddings(openai, body, { signal, id: 'doctor' })
  } catch (error) {
    const more = refusedParameters(error, body).filter((name) => !without.has(name))
    if (more.length > 0) return await embed(openai, model, signal, andWithout(without, more))
    throw error
  }
  const [dealt] = deal(reply, [{ texts }], embeddingDimensions)
  const problem = dealt && 'problem' in dealt ? dealt.problem : undefined
  if (problem && !without.has('encoding_format')) {
    return await embed(openai, model, signal, andWithout(without, ['encoding_format']))
  }
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  return { problem, tellsUsage: toldTokens(reply, bytes, texts.length) !== undefined, without }
}
