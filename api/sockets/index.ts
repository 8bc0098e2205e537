import { randomUUID } from 'node:crypto'
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Redis } from 'ioredis'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Actor } from '../../lib/auth/actor.ts'
import { AppError } from '../../lib/errors.ts'
import type { DeltaFeed } from '../../lib/events/delta-feed.ts'
import { orAborted } from '../../lib/events/pause.ts'
import type { OpenTail } from '../../lib/events/tail.ts'
import type { Logger } from '../../lib/logger.ts'
import { isOutage } from '../../lib/outage.ts'
import type { CredentialWatch } from '../credential-watch.ts'
import { type CanSubscribe, type Connection, openConnection } from './connection.ts'
import { createEventText } from './event-text.ts'
import { closeCodes, type SocketLimits, socketLimits } from './limits.ts'
import { createPlaces } from './places.ts'
import { refuseUpgrade } from './refuse.ts'
import { authenticateUpgrade, type Credentials } from './upgrade.ts'

/**
 * Takes one token of the address that asks for a socket.
 * @returns headers for an answer, and the refusal when there was no token left
 */
export type LimitUpgrade = (
  request: IncomingMessage
) => Promise<{ headers: Record<string, string>; refusal?: AppError | undefined }>

export type Sockets = {
  /**
   * Tells every socket that the server goes away (1001), waits up to 2 s for them and hangs up on the rest. Whoever asks
   * for one after that, on a connection that is still open, gets 503.
   */
  close(): Promise<void>
  /** connections of this process */
  count(): number
}

/** How often channels that others decide about, courses, are looked at again. */
const recheckMs = 10_000
const stayMs = 30_000
const goodbyeMs = 2_000

/**
 * Serves `/ws` on an HTTP server; what the messages are stands in `docs/events.md`.
 * Ordinary requests are left alone, whatever else they want to upgrade to.
 */
export function attachSockets({
  server,
  credentials,
  limit,
  watch,
  canSubscribe,
  openTail,
  deltas,
  redis,
  prefix,
  limits = socketLimits,
  log
}: {
  server: Server
  credentials: Credentials
  /** absent: upgrades are not limited */
  limit?: LimitUpgrade | undefined
  /** started and stopped by the caller */
  watch: CredentialWatch
  canSubscribe: CanSubscribe
  openTail: OpenTail
  deltas: Pick<DeltaFeed, 'follow'>
  redis: Redis
  prefix: string
  limits?: SocketLimits
  log: Logger
}): Sockets {
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: limits.messageBytes,
    perMessageDeflate: false
  })
  const connections = new Map<string, Connection>()
  const places = createPlaces({ redis, prefix, most: limits.connectionsOfUser, log })
  const eventText = createEventText()
  const needs = { canSubscribe, openTail, deltas, eventText, limits, log }
  let closing = false
  let onEmpty = () => {}

  function open(socket: WebSocket, actor: Actor, id: string, ip: string): void {
    const connection = openConnection(socket, { actor, ip, onClose }, needs)
    connections.set(id, connection)
    watch.add(connection)
    if (closing) connection.close(closeCodes.goingAway, 'going away')

    function onClose(): void {
      connections.delete(id)
      watch.remove(connection)
      leave(actor.id, id)
      if (connections.size === 0) onEmpty()
    }
  }

  function leave(userId: string, id: string): void {
    places.leave(userId, id).catch((error: unknown) => log.debug({ err: error }, 'a place frees itself later'))
  }

  /** @throws AppError for whoever is not let in */
  async function admit(request: IncomingMessage, id: string, headers: Record<string, string>): Promise<Actor> {
    if (closing) throw new AppError('unavailable', 'Going away: connect again', { headers: { 'Retry-After': '1' } })
    const limited = await limit?.(request)
    Object.assign(headers, limited?.headers)
    if (limited?.refusal) throw limited.refusal
    const actor = await authenticateUpgrade(request, credentials)
    if (await places.enter(actor.id, id)) return actor
    throw new AppError('rate_limited', `At most ${limits.connectionsOfUser} connections at once`, {
      headers: { 'Retry-After': '1' }
    })
  }

  async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const id = randomUUID()
    const headers: Record<string, string> = {}
    const onError = (error: Error) => log.debug({ err: error }, 'an upgrade was broken off')
    socket.on('error', onError)
    try {
      const actor = await admit(request, id, headers)
      socket.off('error', onError)
      if (socket.destroyed) return leave(actor.id, id)
      let upgraded = false
      // The library answers a handshake that is not one by itself, and closes the socket.
      socket.once('close', () => {
        if (!upgraded) leave(actor.id, id)
      })
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        upgraded = true
        open(webSocket, actor, id, request.socket.remoteAddress ?? '')
      })
    } catch (error) {
      refuseUpgrade(socket, toRefusal(error), headers)
    }
  }

  function toRefusal(error: unknown): AppError {
    if (error instanceof AppError) return error
    if (isOutage(error)) {
      return new AppError('unavailable', 'A service this depends on is away: try again soon', {
        headers: { 'Retry-After': '2' }
      })
    }
    log.error({ err: error }, 'an upgrade failed')
    return new AppError('internal', 'Something went wrong here')
  }

  async function recheckCourses(): Promise<void> {
    for (const connection of connections.values()) await connection.recheck('course:')
  }

  async function stay(): Promise<void> {
    const byUser = Map.groupBy(connections, ([, { actor }]) => actor.id)
    for (const [userId, own] of byUser)
      await places.stay(
        userId,
        own.map(([id]) => id)
      )
  }

  const timers = [
    setInterval(repeatable('channels could not be looked at again', recheckCourses), recheckMs),
    setInterval(repeatable('places of sockets could not be kept', stay), stayMs)
  ]

  function repeatable(failure: string, step: () => Promise<void>): () => void {
    let running = false
    return () => {
      if (running) return
      running = true
      void step()
        .catch((error: unknown) => log.warn({ err: error }, failure))
        .finally(() => {
          running = false
        })
    }
  }

  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void upgrade(request, socket, head)
  server.on('upgrade', onUpgrade)
  // Node hands every request with an Upgrade field to the listener, also `h2c` of a plain HTTP client, unless told.
  Reflect.set(
    server,
    'shouldUpgradeCallback',
    ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === 'websocket'
  )

  return {
    count: () => connections.size,
    async close() {
      closing = true
      for (const timer of timers) clearInterval(timer)
      const late = AbortSignal.timeout(goodbyeMs)
      for (const connection of connections.values()) connection.close(closeCodes.goingAway, 'going away')
      if (connections.size > 0) await orAborted(new Promise<void>((resolve) => (onEmpty = resolve)), late)
      for (const connection of connections.values()) connection.terminate()
    }
  }
}
