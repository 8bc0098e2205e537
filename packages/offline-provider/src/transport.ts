/** A request as both transports hand it on. Header names are in lower case. */
export type WireRequest = {
  method: string
  /** Without the query. */
  path: string
  headers: Record<string, string>
  body: string
  /** Aborts when the client goes away. */
  signal: AbortSignal
}

/**
 * An answer: the body comes piece by piece, and nothing is produced before it is asked for. The body's iterator throws
 * `ConnectionLost` when the connection is to be broken.
 */
export type WireReply = {
  status: number
  headers: Record<string, string>
  body: AsyncIterable<string | Uint8Array>
}

/** Thrown to say that the transport must break the connection instead of answering (further). */
export class ConnectionLost extends Error {
  constructor() {
    super('the connection was reset')
    this.name = 'ConnectionLost'
  }
}

/** A body that is known at once. */
export async function* wholeBody(text: string): AsyncGenerator<string> {
  yield text
}
