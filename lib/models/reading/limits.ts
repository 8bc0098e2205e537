/**
 * Largest piece of an answer that is held in memory before it is understood: one event of a stream, or a whole body.
 * Sixty thousand tokens with everything around them take a tenth of it.
 */
export const maxHeldBytes = 4 * 1024 * 1024

/** What one token may take on the wire: a chunk with the annotations of a content filter takes a quarter of it. */
const wireBytesOfToken = 4 * 1024
const wireBytesBesides = 1024 * 1024
const maxWireBytes = 64 * 1024 * 1024

/** How many bytes of an answer, after they were unpacked, are read at most before the request is aborted. */
export const wireBytesFor = (grantedTokens: number): number =>
  Math.min(maxWireBytes, wireBytesBesides + grantedTokens * wireBytesOfToken)

/** Tool calls of one answer. */
export const maxToolCalls = 128

/**
 * Tokens up to which an answer is taken. Vocabularies differ, so what another one counts as so many tokens may be a few
 * more here.
 */
export const tokensTaken = (granted: number): number => granted + Math.max(8, granted >> 5)
