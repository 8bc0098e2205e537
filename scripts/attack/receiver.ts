import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A receiver of webhooks: paths under `/answer/` are answered at once, others never. */
export type Receiver = {
  url: string
  /** Whether something came to a path that ends so, with these words in its body. */
  got(pathEnd: string, words?: string): boolean
  close(): void
}

/** @param keepsBodies whether `got` can look for words; without it a flood of large events takes no memory */
export async function openReceiver({ keepsBodies }: { keepsBodies: boolean }): Promise<Receiver> {
  const deliveries: { path: string; body: string }[] = []
  const server = createServer((req, res) => {
    let body = ''
    req.on('data', (chunk: Buffer) => {
      if (keepsBodies) body += chunk.toString()
    })
    req.on('end', () => {
      const path = req.url ?? ''
      deliveries.push({ path, body })
      if (path.startsWith('/answer/')) res.writeHead(204).end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    got: (pathEnd, words = '') => deliveries.some(({ path, body }) => path.endsWith(pathEnd) && body.includes(words)),
    close() {
      server.closeAllConnections()
      server.close()
    }
  }
}
