/** Version of the binary format (PostgreSQL source, `jsonb_recv` in src/backend/utils/adt/jsonb.c). */
const jsonbVersion = 1

/**
 * JSON that is serialised already, to be stored in a `jsonb` column as it is. It may be made on a thread and move to
 * another as its bytes, so that nobody parses or writes ten megabytes on an event loop.
 */
export class JsonText {
  /** what is bound to a `jsonb` column: its binary format, the version and the text in UTF-8 */
  readonly jsonb: Buffer

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.jsonb = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** The bytes that another thread makes a `JsonText` of, alone in their memory. */
  static bytesOf(value: unknown): Uint8Array<ArrayBuffer> {
    const text = JSON.stringify(value)
    const bytes = Buffer.from(new ArrayBuffer(1 + Buffer.byteLength(text)))
    bytes[0] = jsonbVersion
    bytes.write(text, 1)
    return bytes
  }
}
