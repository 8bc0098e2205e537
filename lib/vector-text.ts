/** A vector as base64 of little-endian 32-bit floats: the provider's own compact form, a third of the JSON's size. */
export function encodeVector(vector: readonly number[]): string {
  const bytes = Buffer.alloc(vector.length * 4)
  const numbers = new DataView(bytes.buffer, bytes.byteOffset)
  for (let index = 0; index < vector.length; index++) numbers.setFloat32(index * 4, vector[index] as number, true)
  return bytes.toString('base64')
}

/** The inverse of `encodeVector`. */
export function decodeVector(text: string): number[] {
  const bytes = Buffer.from(text, 'base64')
  const numbers = new DataView(bytes.buffer, bytes.byteOffset)
  return Array.from({ length: bytes.length >> 2 }, (_, index) => numbers.getFloat32(index * 4, true))
}
