import { once } from 'node:events'
import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http'
import { Server as NetServer, type Socket } from 'node:net'

export type Drain = (patience: Patience) => Promise<void>

export type Patience = {
  /** Milliseconds that requests in flight have to be answered. */
  limitMs: number
  /**
   * Milliseconds before idle connections are hung up on. One that is hung up on while its client sends again costs that
   * client an error (RFC 9112, 9.5), so leave them at least as long as answers say that connections are kept.
   */
  idleMs: number
}

/**
 * Ends an HTTP server in order: it stops accepting at once, and what connections still ask is answered with
 * `Connection: close`. Resolves when no connection is left.
 * To be called before the server listens.
 */
export function createDrain(server: HttpServer): Drain {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })

  function hangUpOnIdle(): void {
    server.closeIdleConnections()
    // Browsers open connections that they may need; node does not count these as idle.
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
  }

  return async ({ limitMs, idleMs }) => {
    if (!server.listening) return
    const sayGoodbye = (_request: IncomingMessage, response: ServerResponse) =>
      response.setHeader('Connection', 'close')
    for (const event of ['request', 'checkContinue'] as const) server.prependListener(event, sayGoodbye)
    const closed = once(server, 'close')
    // An HTTP server's own `close` hangs up on idle connections at once.
    NetServer.prototype.close.call(server)
    let sweep: NodeJS.Timeout | undefined
    const patience = setTimeout(
      () => {
        hangUpOnIdle()
        sweep = setInterval(hangUpOnIdle, 50)
      },
      Math.min(idleMs, limitMs)
    )
    // All of them: node does not count what is being upgraded.
    const limit = setTimeout(() => {
      for (const socket of sockets) socket.destroy()
    }, limitMs)
    await closed
    for (const timer of [patience, limit, sweep]) clearTimeout(timer)
  }
}
