import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** Stands between a client and a service, so that a test can take the service away from this client alone. */
export type TcpProxy = {
  /** the service's URL with the proxy's address in it */
  url: string
  /** Cuts every connection and refuses new ones. */
  cut(): void
  restore(): void
  /** Lets nothing through in either direction, without closing anything. */
  freeze(): void
  close(): Promise<void>
}

export async function createTcpProxy(targetUrl: string): Promise<TcpProxy> {
  const target = new URL(targetUrl)
  const sockets = new Set<Socket>()
  let refusing = false
  let frozen = false
  const server = createServer((client) => {
    if (refusing) return void client.destroy()
    const service = connect(Number(target.port), target.hostname)
    for (const [socket, other] of [
      [client, service],
      [service, client]
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('data', (chunk) => void other.write(chunk))
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
      if (frozen) socket.pause()
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(targetUrl)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as AddressInfo).port)
  const destroyAll = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: url.href,
    cut() {
      refusing = true
      destroyAll()
    },
    restore() {
      refusing = false
      frozen = false
      for (const socket of sockets) socket.resume()
    },
    freeze() {
      frozen = true
      for (const socket of sockets) socket.pause()
    },
    async close() {
      destroyAll()
      server.close()
      await once(server, 'close')
    }
  }
}
