import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ConnectionLost, type WireReply, type WireRequest } from './transport.ts'

type Handle = (request: WireRequest) => Promise<WireReply>

export type Listening = { url: string; port: number; close: () => Promise<void> }

const MAX_BODY_BYTES = 32 * 1_024 * 1_024

/**
 * Serves the provider over HTTP.
 * @param port 0 takes a free one
 * @returns the base URL for `OPENAI_BASE_URL` (it ends in `/v1`), and how to close; closing breaks open connections
 */
export async function listen(handle: Handle, port: number, host: string): Promise<Listening> {
  const server = createServer((request, response) => {
    void serve(handle, request, response)
  })
  server.requestTimeout = 0
  server.keepAliveTimeout = 75_000 // ms: a client that reuses a connection must not meet its end
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const bound = (server.address() as AddressInfo).port
  const name = host.includes(':') ? `[${host}]` : host
  return {
    url: `http://${name}:${bound}/v1`,
    port: bound,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()))
        server.closeAllConnections()
      })
  }
}

async function serve(handle: Handle, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController()
  response.on('close', () => {
    if (!response.writableFinished) gone.abort(new DOMException('The client went away.', 'AbortError'))
  })
  try {
    const body = await readBody(request)
    if (body === undefined) return void response.writeHead(413, { connection: 'close' }).end()
    const reply = await handle({
      method: request.method ?? 'GET',
      path: new URL(request.url ?? '/', 'http://localhost').pathname,
      headers: singleHeaders(request),
      body,
      signal: gone.signal
    })
    response.writeHead(reply.status, reply.headers)
    for await (const piece of reply.body) {
      if (!response.write(piece)) await drained(response)
    }
    response.end()
  } catch (error) {
    breakOff(response, error instanceof ConnectionLost)
  }
}

/** Before the answer a reset; in its middle an end that comes after everything that was written, as a cut has it. */
function breakOff(response: ServerResponse, reset: boolean): void {
  const { socket } = response
  if (!socket || socket.destroyed) return
  if (response.headersSent) socket.destroySoon()
  else if (reset) socket.resetAndDestroy()
  else socket.destroy()
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length
    if (size > MAX_BODY_BYTES) return undefined
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function singleHeaders(request: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : (value ?? '')
    ])
  )
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      response.off('drain', go)
      response.off('close', go)
      resolve()
    }
    response.on('drain', go)
    response.on('close', go)
  })
}
