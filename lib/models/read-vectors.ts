import { decodeVector } from '../vector-text.ts'

/** A vector, or why there is none. */
export type ReadVector = { vector: number[] } | { problem: string; isWidth?: boolean }

const notNumbers = { problem: 'a vector with values that are no numbers' }

/**
 * The vectors of an answer in the order of the texts: finite 32-bit floats, as numbers or as base64, of these
 * dimensions. Each index comes once; only where no entry has one the order counts.
 * @param data the `data` member
 * @returns one for each text, good or not; or a problem of the whole, when nobody can say which vector is whose
 */
export function readVectors(data: unknown, count: number, dimensions: number): ReadVector[] | { problem: string } {
  if (!Array.isArray(data)) return { problem: 'no vectors' }
  if (data.length !== count) return { problem: `${data.length} vectors for ${count} texts` }
  const entries = data.map((entry) => (typeof entry === 'object' && entry !== null ? entry : {}) as Entry)
  const inOrder = entries.every(({ index }) => index === undefined || index === null)
  const vectors: ReadVector[] = []
  for (const [position, { index, embedding }] of entries.entries()) {
    const at = inOrder ? position : index
    if (typeof at !== 'number' || !Number.isInteger(at) || at < 0 || at >= count) {
      return { problem: 'a vector with an index of no text' }
    }
    if (vectors[at]) return { problem: 'two vectors with one index' }
    vectors[at] = readVector(embedding, dimensions)
  }
  return vectors
}

type Entry = { index?: unknown; embedding?: unknown }

function readVector(value: unknown, dimensions: number): ReadVector {
  // one row of a matrix: llama.cpp's pooled form
  const given = Array.isArray(value) && value.length === 1 && Array.isArray(value[0]) ? (value[0] as unknown[]) : value
  const numbers: unknown = typeof given === 'string' ? fromBase64(given) : given
  if (!Array.isArray(numbers)) return { problem: 'no vector for a text' }
  if (numbers.length !== dimensions) {
    return { problem: `vectors of ${numbers.length} dimensions where ${dimensions} are needed`, isWidth: true }
  }
  return numbers.every((number) => typeof number === 'number' && Number.isFinite(Math.fround(number)))
    ? { vector: numbers as number[] }
    : notNumbers
}

function fromBase64(text: string): number[] | undefined {
  return /^[\w+/-]*={0,2}\s*$/.test(text) ? decodeVector(text) : undefined
}

/**
 * JSON as Python writes it, where numbers that are none stand bare: they become null.
 * @throws SyntaxError for what is no JSON either way
 */
export function parseNumbers(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    const repaired = text.replace(/(?<=[[,:\s])-?(?:NaN|Infinity)(?=\s{0,8}[,\]}])/g, 'null')
    if (repaired === text) throw error
    return JSON.parse(repaired) as unknown
  }
}
