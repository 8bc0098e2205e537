/**
 * The body of an answer as text, unpacked, as far as it is not larger than it may be.
 * @returns `undefined` when it is larger: what is left is not read, and its connection is closed
 */
export async function boundedBody({ body }: Response, maxBytes: number): Promise<string | undefined> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of (body ?? []) as AsyncIterable<Uint8Array>) {
    size += part.byteLength
    if (size > maxBytes) return undefined // leaving the loop cancels the body
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}
