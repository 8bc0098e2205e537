/** What a database client copies at once; ten megabytes of fresh memory would keep an event loop for too long. */
const pieceBytes = 512 * 1024

/**
 * JSON that is serialised already, to be stored as it is. It may be made on a thread and move to another as its bytes,
 * so that nobody parses or writes ten megabytes on an event loop.
 */
export class JsonText {
  /** in UTF-8 */
  readonly bytes: Buffer

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** The bytes that another thread makes a `JsonText` of, alone in their memory. */
  static bytesOf(value: unknown): Uint8Array<ArrayBuffer> {
    const text = JSON.stringify(value)
    const bytes = Buffer.from(new ArrayBuffer(Buffer.byteLength(text)))
    bytes.write(text)
    return bytes
  }

  /** The bytes in pieces, each of whole characters. */
  *pieces(): Generator<Buffer> {
    for (let start = 0; start < this.bytes.length; ) {
      let end = Math.min(start + pieceBytes, this.bytes.length)
      while (end < this.bytes.length && ((this.bytes[end] as number) & 0xc0) === 0x80) end--
      yield this.bytes.subarray(start, end)
      start = end
    }
  }
}
