import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Received = { path: string; headers: IncomingHttpHeaders; body: string }
export type Answer = { status: number; headers?: Record<string, string>; body?: string } | 'silence'

/** A receiver of webhooks on this machine that answers as it is told and keeps what it got. */
export type Receiver = {
  url: string
  host: string
  got: Received[]
  /** The most requests at once that it left without an answer. */
  mostUnanswered(): number
  answer(how: (request: Received, count: number) => Answer): void
  close(): Promise<void>
}

export async function openReceiver(): Promise<Receiver> {
  const got: Received[] = []
  let unanswered = 0
  let mostUnanswered = 0
  let how: (request: Received, count: number) => Answer = () => ({ status: 204 })
  const server = createServer((req, res) => {
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => chunks.push(chunk))
    req.on('end', () => {
      const request = { path: req.url ?? '', headers: req.headers, body: Buffer.concat(chunks).toString() }
      got.push(request)
      const answer = how(request, got.length)
      if (answer !== 'silence') return res.writeHead(answer.status, answer.headers).end(answer.body)
      mostUnanswered = Math.max(mostUnanswered, ++unanswered)
      res.once('close', () => unanswered--)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: `http://${host}/hook`,
    host,
    got,
    mostUnanswered: () => mostUnanswered,
    answer(next) {
      how = next
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
  }
}
