import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { Actor } from '../../lib/access/actor.ts'
import { AppError } from '../../lib/errors/app-error.ts'
import type { DeltaFeed } from '../../lib/events/delta-feed.ts'
import type { LoggedEvent } from '../../lib/events/feed.ts'
import type { OpenTail, Reader } from '../../lib/events/tail.ts'
import type { Logger } from '../../lib/logger.ts'
import { isOutage } from '../../lib/errors/outage.ts'
import type { Holder } from '../credential-watch.ts'
import { type ClientMessage, type MessageId, parseClientMessage } from './client-message.ts'
import type { EventText } from './event-text.ts'
import { closeCodes, type SocketLimits } from './limits.ts'
import { createMessageRate } from './message-rate.ts'
import { createOutbox } from './outbox.ts'

/** Whether a channel, as the client names it, can be listened to by this person. */
export type CanSubscribe = (actor: Actor, channel: string) => Promise<boolean>

export type ConnectionNeeds = {
  canSubscribe: CanSubscribe
  openTail: OpenTail
  deltas: Pick<DeltaFeed, 'follow'>
  eventText: EventText
  limits: SocketLimits
  log: Logger
}

/** One authenticated socket and its subscriptions. A changed role ends what can no longer be seen. */
export type Connection = Holder & {
  /** Ends subscriptions to what can no longer be seen. `only` limits the look to channels that begin so. */
  recheck(only?: string): Promise<void>
  close(code: number, reason: string): void
  terminate(): void
}

/** How long a closing handshake may take, also of a reader that never gets to its end. */
const closeGraceMs = 10_000
/** How long one who sends too much has to read why it is closed. */
const floodGraceMs = 1_000
/** Pongs are not heaped up for a reader that takes nothing. */
const pongRoomBytes = 16 * 1024

type Opened = {
  actor: Actor
  ip: string
  /** what the frames come on */
  carrier: Duplex
  onClose: () => void
}

/** Answers the messages of one socket, one after another, and pushes what its channels bring. */
export function openConnection(
  socket: WebSocket,
  { actor: initial, ip, carrier, onClose }: Opened,
  { canSubscribe, openTail, deltas, eventText, limits, log }: ConnectionNeeds
): Connection {
  let actor = initial
  /** what ends each subscription, by the channel as the client named it */
  const subscriptions = new Map<string, () => void>()
  const allowed = createMessageRate(limits.messagesPerSecond)
  const outbox = createOutbox(socket, limits.unsentBytes, () => {
    log.info({ userId: initial.id }, 'a socket that was not read is closed')
    close(closeCodes.tooSlow, 'too slow')
  })
  let handling = Promise.resolve()
  let alive = true
  let open = true

  const say = (message: object) => outbox.send(JSON.stringify(message))
  const complain = (id: MessageId | undefined, code: string, message: string) =>
    say({ type: 'error', ...(id === undefined ? {} : { id }), code, message })

  async function subscribe({ id, channel, after, afterSeq }: Extract<ClientMessage, { type: 'subscribe' }>) {
    const jobId = channel.startsWith('job:') ? channel.slice('job:'.length).toLowerCase() : undefined
    if (afterSeq !== undefined && jobId === undefined) return complain(id, 'invalid', 'afterSeq: only jobs have it')
    if (subscriptions.has(channel)) return complain(id, 'conflict', 'This channel is subscribed to already')
    if (subscriptions.size >= limits.subscriptions) {
      return complain(id, 'too_many_subscriptions', `At most ${limits.subscriptions} channels at once`)
    }
    if (!(await canSubscribe(actor, channel))) return complain(id, 'not_found', 'This channel was not found')
    const tail = await openTail(channel === 'user:me' ? `user:${actor.id}` : channel.toLowerCase(), after)
    if (!open) return
    const { position, recovered } = tail
    say({ type: 'subscribed', ...(id === undefined ? {} : { id }), channel, position, recovered })
    const { reader, forget } = readerOf(channel)
    tail.start(reader)
    const text =
      jobId &&
      deltas.follow(jobId, afterSeq, ({ type, ...rest }) => outbox.give(JSON.stringify({ type, channel, ...rest })))
    subscriptions.set(channel, () => {
      tail.stop()
      forget()
      if (text) text.stop()
    })
  }

  /** Reads a channel for this socket, and counts what of it waits. */
  function readerOf(channel: string): { reader: Reader; forget: () => void } {
    const head = `{"type":"event","channel":${JSON.stringify(channel)},`
    const render = (logged: LoggedEvent) => `${head}${eventText(logged)}}`
    let owed = 0
    const owe = (bytes: number) => {
      owed += bytes
      outbox.owe(bytes)
    }
    const forget = () => owe(-owed)
    return {
      forget,
      reader: {
        push: (logged) => outbox.push(render(logged)),
        async give(logged) {
          const text = render(logged)
          await outbox.give(text)
          owe(-Math.min(owed, text.length))
        },
        owed: (logged) => owe(head.length + eventText(logged).length + 1),
        caughtUp: forget
      }
    }
  }

  function unsubscribe({ id, channel }: Extract<ClientMessage, { type: 'unsubscribe' }>): void {
    const end = subscriptions.get(channel)
    if (!end) return complain(id, 'not_found', 'This channel is not subscribed to')
    subscriptions.delete(channel)
    end()
    say({ type: 'unsubscribed', ...(id === undefined ? {} : { id }), channel })
  }

  async function handle(text: string): Promise<void> {
    const parsed = parseClientMessage(text)
    if (!parsed.ok) return complain(parsed.id, parsed.code, parsed.problem)
    const { message } = parsed
    try {
      if (message.type === 'subscribe') await subscribe(message)
      else unsubscribe(message)
    } catch (error) {
      if (error instanceof AppError) complain(message.id, error.code, error.message)
      else if (isOutage(error)) complain(message.id, 'unavailable', 'A service this depends on is away: try again soon')
      else {
        log.error({ err: error }, 'a socket message failed')
        complain(message.id, 'internal', 'Something went wrong here')
      }
    }
  }

  async function recheck(only = ''): Promise<void> {
    for (const [channel, end] of subscriptions) {
      if (!channel.startsWith(only) || (await canSubscribe(actor, channel)) || !subscriptions.has(channel)) continue
      subscriptions.delete(channel)
      end()
      say({ type: 'error', channel, code: 'not_found', message: 'This channel can no longer be seen' })
    }
  }

  function close(code: number, reason: string, graceMs = closeGraceMs): void {
    if (socket.readyState !== socket.OPEN) return
    endSubscriptions()
    socket.close(code, reason)
    const late = setTimeout(() => socket.terminate(), graceMs)
    socket.once('close', () => clearTimeout(late))
  }

  /** Counts a frame. @returns false when it is not to be heeded: there were too many, or the connection is closing */
  function count(): boolean {
    if (!open) return false
    if (allowed(performance.now())) return true
    close(closeCodes.tooManyMessages, 'too many messages', floodGraceMs)
    // What still comes is thrown away unread: each frame would cost its parsing until the connection has ended.
    carrier.removeAllListeners('data')
    carrier.resume()
    return false
  }

  function endSubscriptions(): void {
    open = false
    for (const end of subscriptions.values()) end()
    subscriptions.clear()
  }

  socket.on('message', (data, isBinary) => {
    if (!count()) return
    if (isBinary) return complain(undefined, 'invalid', 'Messages are text')
    const text = (data as Buffer).toString()
    handling = handling.then(() => (open ? handle(text) : undefined))
  })
  const pings = setInterval(() => {
    if (!alive) return socket.terminate()
    alive = false
    socket.ping()
  }, limits.pingMs)
  socket.on('pong', () => {
    if (count()) alive = true
  })
  socket.on('ping', (data) => {
    if (count() && socket.bufferedAmount < pongRoomBytes) socket.pong(data)
  })
  // What the protocol itself refuses (a frame too large, bad UTF-8) ends the connection with its own code.
  socket.on('error', (error) => log.debug({ err: error, ip }, 'socket failed'))
  socket.on('close', () => {
    clearInterval(pings)
    endSubscriptions()
    outbox.close()
    onClose()
  })

  return {
    get actor() {
      return actor
    },
    revoked: () => close(closeCodes.credentialsGone, 'credentials no longer valid'),
    roleChanged(role) {
      actor = { ...actor, role }
      recheck().catch((error: unknown) => log.warn({ err: error }, 'channels could not be looked at again'))
    },
    recheck,
    close,
    terminate: () => socket.terminate()
  }
}
