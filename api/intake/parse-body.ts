import { isUtf8 } from 'node:buffer'
import type { Bytes } from './gathered-bytes.ts'

/** @returns the value, or what keeps it from being one. Throws nothing: it runs on threads too */
export function parseBody(pieces: Bytes[]): { value: unknown } | { problem: string } {
  const [first = new Uint8Array(0)] = pieces
  const bytes = pieces.length > 1 ? Buffer.concat(pieces) : Buffer.from(first.buffer, first.byteOffset, first.length)
  // The decoder would silently put a replacement character for what is not UTF-8 (RFC 8259, 8.1 allows nothing else).
  if (!isUtf8(bytes)) return { problem: 'The body is not UTF-8' }
  try {
    return { value: JSON.parse(bytes.toString('utf8')) as unknown }
  } catch {
    return { problem: 'The body cannot be parsed' }
  }
}
