import { createServer, type RequestListener, type Server } from 'node:http'

/**
 * The HTTP server around the app. A client that asks before it sends a body (`Expect: 100-continue`) is told to go on by
 * whoever reads the body, which is after credential and limit have been looked at.
 * @param keepAliveMs how long a connection may be idle; every answer tells its client
 */
export function createApiServer(app: RequestListener, keepAliveMs: number): Server {
  const server = createServer(
    { requestTimeout: 120_000, headersTimeout: 20_000, keepAliveTimeout: keepAliveMs, keepAliveTimeoutBuffer: 1_000 },
    app
  )
  server.on('checkContinue', app)
  return server
}
