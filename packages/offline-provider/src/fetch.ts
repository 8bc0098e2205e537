import { ConnectionLost, type WireReply, type WireRequest } from './transport.ts'

type Handle = (request: WireRequest) => Promise<WireReply>

/** `fetch` that is answered inside the process. Rejects as the real one does: AbortError at once, TypeError on resets. */
export function createFetch(handle: Handle): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init)
    // The caller's own signal: that of a request follows it only as long as nobody has collected the request.
    const signal = init?.signal ?? (input instanceof Request ? input.signal : request.signal)
    signal.throwIfAborted()
    const gone = new AbortController()
    const leave = () => gone.abort(signal.reason)
    signal.addEventListener('abort', leave, { once: true })
    const reply = await handle({
      method: request.method,
      path: new URL(request.url).pathname,
      headers: Object.fromEntries(request.headers),
      body: await request.text(),
      signal: gone.signal
    }).catch((error: unknown) => {
      throw asFetchError(error)
    })
    return new Response(streamOf(reply.body, signal, gone), { status: reply.status, headers: reply.headers })
  }
}

function streamOf(body: WireReply['body'], signal: AbortSignal, gone: AbortController): ReadableStream<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        signal.addEventListener(
          'abort',
          () => {
            controller.error(signal.reason)
            void iterator.return?.()
          },
          { once: true }
        )
      },
      async pull(controller) {
        try {
          const { done, value } = await iterator.next()
          if (signal.aborted) return
          if (done) controller.close()
          else controller.enqueue(typeof value === 'string' ? encoder.encode(value) : value)
        } catch (error) {
          if (!signal.aborted) controller.error(asFetchError(error))
        }
      },
      async cancel(reason) {
        gone.abort(reason)
        await iterator.return?.()
      }
    },
    { highWaterMark: 0 }
  )
}

/** What undici throws when a connection breaks. */
function asFetchError(error: unknown): unknown {
  if (!(error instanceof ConnectionLost)) return error
  const cause = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', errno: -104, syscall: 'read' })
  return new TypeError('fetch failed', { cause })
}
