/** Smaller pieces are copied together: each kept by itself would take more than its bytes. */
const smallPiece = 4 * 1024
const blockBytes = 32 * 1024

export type Bytes = Uint8Array<ArrayBuffer>

/** Puts the pieces of a body together: large ones as they are, without a copy, small ones in blocks. */
export type GatheredBytes = {
  readonly length: number
  add(piece: Bytes): void
  /** All of it, in order. No two share memory, so that they can move to a thread. */
  pieces(): Bytes[]
}

export function gatherBytes(): GatheredBytes {
  const pieces: Bytes[] = []
  let block = new Uint8Array(0)
  let used = 0
  let length = 0

  function finishBlock(): void {
    if (used > 0) pieces.push(block.subarray(0, used))
    block = new Uint8Array(0)
    used = 0
  }

  return {
    get length() {
      return length
    },
    add(piece) {
      const isAlone = piece.byteLength === piece.buffer.byteLength
      // The first is most often the only one.
      if (isAlone && (length === 0 || piece.length >= smallPiece)) {
        finishBlock()
        pieces.push(piece)
      } else {
        if (used + piece.length > block.length) {
          finishBlock()
          block = new Uint8Array(Math.max(blockBytes, piece.length))
        }
        block.set(piece, used)
        used += piece.length
      }
      length += piece.length
    },
    pieces() {
      finishBlock()
      return pieces
    }
  }
}
