/**
 * Cuts members into parts of at most so many members and bytes, in their order. One that is larger than that by itself is
 * a part of its own.
 */
export function splitBatch<T>(
  members: readonly T[],
  { rows, bytes, bytesOf }: { rows: number; bytes: number; bytesOf: (member: T) => number }
): T[][] {
  const parts: T[][] = []
  let size = 0
  for (const member of members) {
    const own = bytesOf(member)
    const part = parts.at(-1)
    if (part && part.length < rows && size + own <= bytes) {
      part.push(member)
      size += own
    } else {
      parts.push([member])
      size = own
    }
  }
  return parts
}
