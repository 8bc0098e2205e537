import { once } from 'node:events'
import type { Server } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

/** How long answers ask their clients to come on a new connection before the port is closed. */
const farewellMs = 500

/**
 * For half a second every answer closes its connection in order, because a connection that is hung up on while its
 * client is about to use it again would cost that client an error (RFC 9112, 9.6). Then stops accepting, lets requests
 * in flight be answered for at most `limitMs`, and hangs up on the rest.
 * Connections that fall idle meanwhile are closed, which `server.close` does only for those idle at its call.
 */
export async function drain(server: Server, limitMs: number): Promise<void> {
  if (!server.listening) return
  server.prependListener('request', (_request, response) => response.setHeader('Connection', 'close'))
  await delay(Math.min(farewellMs, limitMs))
  const closed = once(server, 'close')
  server.close()
  const idle = setInterval(() => server.closeIdleConnections(), 50)
  const limit = setTimeout(() => server.closeAllConnections(), limitMs)
  await closed
  clearInterval(idle)
  clearTimeout(limit)
}
