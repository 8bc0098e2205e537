import { once } from 'node:events'
import type { Server } from 'node:http'

/**
 * Stops accepting, lets requests in flight be answered for at most `limitMs`, then hangs up on the rest.
 * Connections that fall idle meanwhile are closed, which `server.close` does only for those idle at its call.
 */
export async function drain(server: Server, limitMs: number): Promise<void> {
  if (!server.listening) return
  const closed = once(server, 'close')
  server.close()
  const idle = setInterval(() => server.closeIdleConnections(), 50)
  const limit = setTimeout(() => server.closeAllConnections(), limitMs)
  await closed
  clearInterval(idle)
  clearTimeout(limit)
}
