import OpenAI from 'openai'

/** Parameters that compatible servers are known to refuse, and without which the same can be asked. */
export const refusable = [
  'max_completion_tokens',
  'max_tokens',
  'stream',
  'stream_options',
  'parallel_tool_calls',
  'tool_choice',
  'response_format',
  'encoding_format'
] as const
export type Refusable = (typeof refusable)[number]
/** `limit` stands for a limit of tokens that is too large for one request: left out of that one, and not remembered. */
export type Without = ReadonlySet<Refusable | 'limit'>

export const andWithout = (without: Without, names: Iterable<Refusable | 'limit'>): Without =>
  new Set([...without, ...names])

/** Statuses that speak of the request: 404 is OpenRouter's for what no server behind it takes, 500 LiteLLM's. */
const statuses = new Set([400, 404, 405, 415, 422, 500, 501])
const longestText = 8_000

/** How servers say that they do not take something. */
const complaint =
  /not (?:\w+ ){0,2}(?:support|permit|allow|recogni[sz]|available|implement|accept)|does(?:n't| not) support|unsupported|unrecogni[sz]ed|unknown|unexpected|extra|unavailable|invalid|no endpoints found|only (?:for|allowed|supported|available|enabled)|enabled only|must be verified/i
/** A limit that the model has no room for: the number is refused, not the parameter. */
const tooLarge =
  /too (?:large|long|high|many)|exceed|maximum context|context (?:length|size|window)|at most|less than or equal/i

/** Other words for a parameter. */
const alias: Partial<Record<Refusable, RegExp>> = {
  response_format: /json_schema|response format|structured[ _]outputs?|guided[ _](?:json|decoding)/i,
  encoding_format: /\bbase64\b/i,
  stream: /to stream this model|streaming (?:requests |responses )?(?:is|are) not/i
}

/**
 * Which parameters of a request an answer refuses, in the words of OpenAI and Azure (`param`, "Unrecognized request
 * argument supplied: …"), Mistral and vLLM (pydantic's `loc`), LiteLLM ("does not support parameters: …"), OpenRouter,
 * DeepSeek, Groq and LM Studio.
 * @param sent the body of the request: only what was sent can be refused
 * @returns none for any other error
 */
export function refusedParameters(error: unknown, sent: Record<string, unknown>): (Refusable | 'limit')[] {
  if (!(error instanceof OpenAI.APIError) || !statuses.has(error.status ?? 0)) return []
  const text = textOf(error.error ?? error.message)
  const named = new Set([...rootsIn(error.param), ...locations(error.error)])
  const candidates = refusable.filter((name) => sent[name] !== undefined)
  const byName = candidates.filter((name) => named.has(name))
  // a 500 is believed only when it says so in full
  const isOdd = (error.status ?? 0) >= 500
  const isComplaint = isOdd ? /UnsupportedParams|does(?:n't| not) support param/i.test(text) : complaint.test(text)
  const isAbout = (name: Refusable) => isIn(text, name) && (isComplaint || (isLimit(name) && tooLarge.test(text)))
  const refused = byName.length > 0 && !isOdd ? byName : candidates.filter(isAbout)
  return refused.map((name) => (isLimit(name) && tooLarge.test(text) ? 'limit' : name))
}

const isLimit = (name: Refusable) => name === 'max_tokens' || name === 'max_completion_tokens'

function isIn(text: string, name: Refusable): boolean {
  // "stream" alone is a word of many errors
  return (name !== 'stream' && new RegExp(`\\b${name}\\b`).test(text)) || (alias[name]?.test(text) ?? false)
}

function textOf(body: unknown): string {
  return (typeof body === 'string' ? body : (JSON.stringify(body) ?? '')).slice(0, longestText)
}

/** `response_format.json_schema.strict` is about `response_format`. */
function rootsIn(param: unknown): string[] {
  return typeof param === 'string' ? [param.replace(/^body\./, '').split(/[.[]/, 1)[0] as string] : []
}

/** The places that pydantic names, `["body", "max_completion_tokens"]`, wherever they stand in the answer. */
function locations(body: unknown, depth = 0): string[] {
  if (typeof body !== 'object' || body === null || depth > 4) return []
  if (Array.isArray(body)) return body.slice(0, 50).flatMap((item) => locations(item, depth + 1))
  const { loc, ...rest } = body as Record<string, unknown>
  const own = Array.isArray(loc) ? loc.filter((part) => part !== 'body').slice(0, 1) : []
  return [
    ...own.filter((part) => typeof part === 'string'),
    ...Object.values(rest).flatMap((item) => locations(item, depth + 1))
  ]
}
