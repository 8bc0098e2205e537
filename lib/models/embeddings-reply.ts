import { errorInside } from './provider-error.ts'
import { parseNumbers, readVectors } from './read-vectors.ts'

export type EmbeddingsReply = { json: Record<string, unknown>; requestId: string | undefined }

/** The vectors of one member of a request, or why it has none. */
export type Dealt = { vectors: number[][] } | { problem: string; isWidth?: boolean }

/** Tokens around each text that are not written in it: its beginning and end. */
const marksOfText = 16

/**
 * What came with status 200.
 * @param text `undefined` when it was larger than vectors can be
 * @throws APIError for an error inside of it
 */
export function toReply(text: string | undefined, headers: Headers): EmbeddingsReply {
  const requestId = headers.get('x-request-id')?.slice(0, 200)
  const json = text === undefined ? {} : objectIn(text)
  if (json['error'] && !Array.isArray(json['data'])) throw errorInside(json['error'], headers)
  return { json, requestId }
}

function objectIn(text: string): Record<string, unknown> {
  try {
    const value = parseNumbers(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/**
 * Deals the vectors to the members whose texts they are of. A bad vector is one member's own; what leaves open which
 * vector is whose is everybody's.
 */
export function deal(
  { json }: EmbeddingsReply,
  members: readonly { texts: readonly string[] }[],
  dimensions: number
): Dealt[] {
  const count = members.reduce((sum, { texts }) => sum + texts.length, 0)
  const read = readVectors(json['data'], count, dimensions)
  if (!Array.isArray(read)) return members.map(() => read)
  let next = 0
  return members.map(({ texts }) => {
    const own = read.slice(next, (next += texts.length))
    return (
      own.find((item) => 'problem' in item) ?? {
        vectors: own.flatMap((item) => ('vector' in item ? [item.vector] : []))
      }
    )
  })
}

/**
 * The tokens that an answer says it took, if that can be: a whole number, above none, and no more than the texts have
 * bytes (a token is never less than one) and marks around them.
 */
export function toldTokens({ json }: EmbeddingsReply, inputBytes: number, texts: number): number | undefined {
  const usage = (json['usage'] ?? {}) as Record<string, unknown>
  return [usage['prompt_tokens'], usage['total_tokens']].find(
    (value): value is number =>
      typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= inputBytes + texts * marksOfText
  )
}
