import { createServer, type RequestListener, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { addressGroup } from '../lib/gate/address.ts'

/** Connections of one address to this process, whatever they are for. */
const mostOfAddress = 1_000

type Options = {
  /** how long a connection may be idle; every answer tells its client */
  keepAliveMs: number
  /** whether a peer is a proxy, whose connections are those of many; nobody is unless told */
  isProxy?: (address: string) => boolean
  connectionsOfAddress?: number
}

/**
 * The HTTP server around the app. A client that asks before it sends a body (`Expect: 100-continue`) is told to go on by
 * whoever reads the body, which is after credential and limit have been looked at. A connection on which nothing moves
 * (nothing asked, nothing read of an answer) is closed, and an address that has too many gets no further one.
 */
export function createApiServer(
  app: RequestListener,
  { keepAliveMs, isProxy = () => false, connectionsOfAddress = mostOfAddress }: Options
): Server {
  const server = createServer(
    {
      requestTimeout: 120_000,
      headersTimeout: 20_000,
      // How often the two above are looked at.
      connectionsCheckingInterval: 5_000,
      keepAliveTimeout: keepAliveMs,
      keepAliveTimeoutBuffer: 1_000
    },
    app
  )
  // Longer than any answer takes to begin: its longest statement has two minutes.
  server.timeout = 130_000
  server.on('checkContinue', app)
  boundByAddress(server, isProxy, connectionsOfAddress)
  return server
}

function boundByAddress(server: Server, isProxy: (address: string) => boolean, most: number): void {
  const open = new Map<string, number>()
  server.on('connection', (socket: Socket) => {
    const { remoteAddress } = socket
    if (remoteAddress === undefined || isProxy(remoteAddress)) return
    const address = addressGroup(remoteAddress)
    const count = (open.get(address) ?? 0) + 1
    if (count > most) {
      socket.destroy()
      return
    }
    open.set(address, count)
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1
      if (left > 0) open.set(address, left)
      else open.delete(address)
    })
  })
}
