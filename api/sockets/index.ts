import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Actor } from '../../lib/access/actor.ts'
import { AppError } from '../../lib/errors/app-error.ts'
import type { DeltaFeed } from '../../lib/events/delta-feed.ts'
import { orAborted } from '../../lib/time/pause.ts'
import type { OpenTail } from '../../lib/events/tail.ts'
import type { Logger } from '../../lib/logger.ts'
import { isOutage } from '../../lib/errors/outage.ts'
import type { ConnectionSlots, Place } from '../connection-slots.ts'
import type { CredentialWatch } from '../credential-watch.ts'
import { type CanSubscribe, type Connection, openConnection } from './connection.ts'
import { createEventText } from './event-text.ts'
import { closeCodes, type SocketLimits, socketLimits } from './limits.ts'
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

/** Who was let in. */
type Admitted = { actor: Actor; place: Place }

/** How often channels that others decide about, courses, are looked at again. */
const recheckMs = 10_000
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
  places,
  addressOf,
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
  places: Pick<ConnectionSlots, 'enter'>
  /** the client's address, as far as proxies let it be known */
  addressOf: (request: IncomingMessage) => string
  limits?: SocketLimits
  log: Logger
}): Sockets {
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: limits.messageBytes,
    perMessageDeflate: false,
    // Empty fragments of a message that never ends would cost for ever what they do not weigh.
    maxFragments: limits.fragmentsOfMessage,
    // Answered where they are counted.
    autoPong: false
  })
  const connections = new Set<Connection>()
  const eventText = createEventText()
  const needs = { canSubscribe, openTail, deltas, eventText, limits, log }
  let closing = false
  let onEmpty = () => {}

  function open(socket: WebSocket, carrier: Duplex, { actor, place }: Admitted, ip: string): void {
    const connection = openConnection(socket, { actor, ip, carrier, onClose }, needs)
    connections.add(connection)
    watch.add(connection)
    if (closing) connection.close(closeCodes.goingAway, 'going away')

    function onClose(): void {
      connections.delete(connection)
      watch.remove(connection)
      place.leave()
      if (connections.size === 0) onEmpty()
    }
  }

  /** @throws AppError for whoever is not let in */
  async function admit(request: IncomingMessage, headers: Record<string, string>): Promise<Admitted> {
    if (closing) throw new AppError('unavailable', 'Going away: connect again', { headers: { 'Retry-After': '1' } })
    const limited = await limit?.(request)
    Object.assign(headers, limited?.headers)
    if (limited?.refusal) throw limited.refusal
    const actor = await authenticateUpgrade(request, credentials)
    return { actor, place: await places.enter('sockets', actor.id, addressOf(request)) }
  }

  async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const headers: Record<string, string> = {}
    const onError = (error: Error) => log.debug({ err: error }, 'an upgrade was broken off')
    socket.on('error', onError)
    try {
      const admitted = await admit(request, headers)
      socket.off('error', onError)
      if (socket.destroyed) return admitted.place.leave()
      let upgraded = false
      // The library answers a handshake that is not one by itself, and closes the socket.
      socket.once('close', () => {
        if (!upgraded) admitted.place.leave()
      })
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        upgraded = true
        open(webSocket, socket, admitted, request.socket.remoteAddress ?? '')
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
    for (const connection of connections) await connection.recheck('course:')
  }

  let rechecking = false
  const rechecks = setInterval(() => {
    if (rechecking) return
    rechecking = true
    void recheckCourses()
      .catch((error: unknown) => log.warn({ err: error }, 'channels could not be looked at again'))
      .finally(() => {
        rechecking = false
      })
  }, recheckMs)

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
      clearInterval(rechecks)
      const late = AbortSignal.timeout(goodbyeMs)
      for (const connection of connections) connection.close(closeCodes.goingAway, 'going away')
      if (connections.size > 0) await orAborted(new Promise<void>((resolve) => (onEmpty = resolve)), late)
      for (const connection of connections) connection.terminate()
    }
  }
}
