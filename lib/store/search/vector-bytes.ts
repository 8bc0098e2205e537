/**
 * A vector as PostgreSQL receives it in binary: dimensions and a reserved number in two bytes each, then 32-bit floats,
 * all big-endian (pgvector's `vector_recv`). The driver sends a Buffer as it is, a third of the size of the text.
 */
export function vectorBytes(vector: ArrayLike<number>): Buffer {
  const bytes = Buffer.alloc(4 + vector.length * 4)
  bytes.writeUInt16BE(vector.length, 0)
  const numbers = new DataView(bytes.buffer, bytes.byteOffset + 4)
  for (let index = 0; index < vector.length; index++) numbers.setFloat32(index * 4, vector[index] as number)
  return bytes
}
