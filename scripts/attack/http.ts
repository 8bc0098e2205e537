import { Agent, type IncomingHttpHeaders, request as httpRequest } from 'node:http'
import { connect, type Socket } from 'node:net'

export type Answer = { status: number; headers: IncomingHttpHeaders; text: string; tookMs: number }

export type Sent = {
  method?: string
  token?: string | undefined
  headers?: Record<string, string>
  /** sent as it is when it is a string or bytes, else as JSON */
  body?: unknown
  timeoutMs?: number
  signal?: AbortSignal | undefined
}

/** What every request of a run was answered, by its status; `0` counts connections that broke or said nothing in time. */
export type Tally = {
  requests: number
  statuses: Map<number, number>
  /** answers with a status of 500 and more that is not 503: none is ever right */
  broken: { status: number; method: string; path: string }[]
}

export const newTally = (): Tally => ({ requests: 0, statuses: new Map(), broken: [] })

/** A client at an address of its own. Linux takes all of 127.0.0.0/8 for loopback, so each person can have one. */
export type Client = {
  address: string
  send(path: string, sent?: Sent): Promise<Answer>
  /** a bare connection, for what no HTTP client would send */
  open(): Socket
  close(): void
}

export function createClient({ url, address, tally }: { url: string; address: string; tally: Tally }): Client {
  const { hostname, port } = new URL(url)
  const agent = new Agent({ keepAlive: true, maxSockets: 4_096, localAddress: address })

  function count(status: number, method: string, path: string): void {
    tally.requests++
    tally.statuses.set(status, (tally.statuses.get(status) ?? 0) + 1)
    if (status >= 500 && status !== 503) tally.broken.push({ status, method, path: path.slice(0, 80) })
  }

  return {
    address,
    send(path, sent = {}) {
      const { token, headers = {}, body, timeoutMs = 60_000, signal } = sent
      const isRaw = typeof body === 'string' || body instanceof Uint8Array
      const bytes = body === undefined ? undefined : isRaw ? body : JSON.stringify(body)
      const method = sent.method ?? (bytes === undefined ? 'GET' : 'POST')
      const startedAt = performance.now()
      const timeout = AbortSignal.timeout(timeoutMs)
      const options = {
        hostname,
        port,
        path,
        agent,
        method,
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        headers: {
          ...(token ? { authorization: `Bearer ${token}` } : {}),
          ...(bytes === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(bytes)) }),
          ...headers
        }
      }
      return new Promise((resolve) => {
        const end = (status: number, fields: IncomingHttpHeaders, text: string) => {
          count(status, method, path)
          resolve({ status, headers: fields, text, tookMs: performance.now() - startedAt })
        }
        const nothing = () => {
          if (signal?.aborted) resolve({ status: 0, headers: {}, text: '', tookMs: performance.now() - startedAt })
          else end(0, {}, '')
        }
        function attempt(): void {
          const outgoing = httpRequest(options, (response) => {
            const chunks: Buffer[] = []
            response.on('data', (chunk: Buffer) => chunks.push(chunk))
            response.on('error', nothing)
            response.on('end', () => {
              end(response.statusCode ?? 0, response.headers, Buffer.concat(chunks).toString())
            })
          })
          outgoing.on('error', (error: NodeJS.ErrnoException) => {
            // A connection that was kept may be closed by the other side in the same moment (Node.js: `reusedSocket`).
            if (outgoing.reusedSocket && error.code === 'ECONNRESET') attempt()
            else nothing()
          })
          outgoing.end(bytes)
        }
        attempt()
      })
    },
    open() {
      const socket = connect({ host: hostname, port: Number(port), localAddress: address })
      socket.on('error', () => undefined) // the other side may well hang up
      return socket
    },
    close: () => agent.destroy()
  }
}

/** The body of an answer, or an empty object when it is no JSON. */
export function json<T = Record<string, unknown>>({ text }: Pick<Answer, 'text'>): T {
  try {
    return JSON.parse(text) as T
  } catch {
    return {} as T
  }
}
