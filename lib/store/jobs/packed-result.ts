import { decodeVector, encodeVector } from '../../vector-text.ts'

type Packed = { packedEmbeddings: string[] }

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

/**
 * A result as it is stored. Vectors take base64 of 32-bit floats, which is what they are: a hundred of them are 3 MB of
 * numbers in JSON, half a second of parsing for the database and for everyone who reads the row.
 */
export function packResult(result: unknown): unknown {
  if (!isObject(result) || !Array.isArray(result.embeddings)) return result
  const { embeddings, ...rest } = result
  if (!embeddings.every((vector) => Array.isArray(vector))) return result
  return { ...rest, packedEmbeddings: embeddings.map((vector: number[]) => encodeVector(vector)) }
}

/** The inverse of `packResult`. */
export function unpackResult(result: unknown): unknown {
  if (!isObject(result) || !('packedEmbeddings' in result)) return result
  const { packedEmbeddings, ...rest } = result as Packed
  return { ...rest, embeddings: packedEmbeddings.map(decodeVector) }
}
