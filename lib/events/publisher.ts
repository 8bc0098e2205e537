import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib'
import { NamedFailure } from '../errors/failure.ts'
import type { Logger } from '../logger.ts'
import { orAborted } from '../time/pause.ts'
import { assertTopology } from './topology.ts'

export type BrokerMessage = {
  /** becomes `messageId`: what a consumer drops repeats by */
  id: string
  routingKey: string
  /** becomes the header `position` */
  position: number
  /** a CloudEvents object as JSON */
  body: string
}

export type Publisher = {
  /** Resolves when the broker has confirmed the message, rejects when it refused it or the connection was lost. */
  publish(message: BrokerMessage): Promise<void>
  /** Resolves when messages can be published, or when the signal is aborted. */
  ready(signal: AbortSignal): Promise<void>
  connected(): boolean
  /** Lets confirms on their way arrive (2 s), then closes the connection. */
  close(): Promise<void>
}

/**
 * Publishes to RabbitMQ with confirms, and connects for ever: a broker that is away stops nothing but this.
 * Connects at once, in the background; waits between tries grow from 100 ms to 5 s.
 * @param exchange see `topology.ts`; made by every connection, so a broker that was emptied has it again
 */
export async function createPublisher({
  url,
  exchange,
  log
}: {
  url: string
  exchange: string
  log: Logger
}): Promise<Publisher> {
  let channel: ConfirmChannel | undefined
  let closing = false
  let reachable = true
  let waiting: (() => void)[] = []
  let blocked = false
  let destroySocket = () => {}

  function wake(): void {
    if (channel && !blocked) for (const resolve of waiting.splice(0)) resolve()
  }

  async function setUp(model: ChannelModel): Promise<void> {
    // Until the library listens itself, an error event without a listener would end the process.
    model.on('error', () => {})
    destroySocket = () => (Reflect.get(model.connection, 'stream') as { destroy(): void }).destroy()
    const opened = await model.createConfirmChannel()
    opened.on('error', (error) => log.warn({ err: error }, 'rabbitmq channel failed'))
    opened.on('close', () => {
      if (channel === opened) channel = undefined
      // The broker closed the channel alone: a new connection asserts the exchange again.
      if (!closing) void model.close().catch(() => {})
    })
    await assertTopology(opened, exchange)
    channel = opened
    if (!reachable) log.info({}, 'rabbitmq connection restored')
    reachable = true
    blocked = false // that was the connection before
    wake()
  }

  function noteLoss(error: Error): void {
    if (reachable && !closing) log.warn({ err: error }, 'rabbitmq connection failed')
    reachable = false
  }

  const connection = await connect(withHeartbeat(url), {
    noDelay: true,
    keepAlive: true,
    timeout: 5_000,
    clientProperties: { connection_name: 'goals events' },
    recovery: { initialDelay: 100, maxDelay: 5_000, waitForConnect: false, setup: setUp }
  })
  connection.on('error', noteLoss)
  connection.on('disconnect', noteLoss)
  connection.on('connect-failed', noteLoss)
  // A broker that is short of memory or disk: what is on its way is confirmed when it is not, and nothing more is sent.
  connection.on('blocked', (reason) => {
    blocked = true
    log.warn({ reason }, 'rabbitmq takes no messages for now')
  })
  connection.on('unblocked', () => {
    blocked = false
    log.info({}, 'rabbitmq takes messages again')
    wake()
  })

  return {
    async publish({ id, routingKey, position, body }) {
      const current = channel
      if (!current) throw new Error('RabbitMQ is not connected')
      await new Promise<void>((resolve, reject) => {
        current.publish(
          exchange,
          routingKey,
          Buffer.from(body),
          {
            persistent: true,
            messageId: id,
            contentType: 'application/cloudevents+json',
            contentEncoding: 'utf-8',
            headers: { position }
          },
          (error: Error | null) => (error ? reject(named(error, exchange, routingKey)) : resolve())
        )
      })
    },
    async ready(signal) {
      while ((!channel || blocked) && !signal.aborted) {
        await orAborted(new Promise<void>((resolve) => waiting.push(resolve)), signal)
      }
      if (signal.aborted) waiting = []
    },
    connected: () => channel !== undefined,
    async close() {
      closing = true
      const late = AbortSignal.timeout(2_000)
      if (channel) await orAborted(channel.waitForConfirms(), late).catch(() => {})
      await orAborted(connection.close(), AbortSignal.timeout(1_000))
      destroySocket()
    }
  }
}

const refusedAgainMs = 60_000

/**
 * amqplib 2.3 says of a `basic.nack` only that, and the protocol has no more to say: not even which queue it was. RabbitMQ
 * sends it when any queue that the message is routed to refuses it (its guide on confirms), and the others have it.
 */
function named(error: Error, exchange: string, routingKey: string): Error {
  if (error.message !== 'message nacked') return error
  const key = routingKey.startsWith('client.') ? 'client.…' : routingKey // what clients make up is not told
  const message =
    `RabbitMQ refused a message on exchange "${exchange}" with routing key "${key}": ` +
    'a queue bound there is full and rejects (x-overflow: reject-publish), or has no leader'
  return new NamedFailure('broker_rejected', message, { cause: error, retryAfterMs: refusedAgainMs })
}

/** Ten seconds unless the URL says otherwise: a broker behind a dead link is noticed within twenty. */
function withHeartbeat(url: string): string {
  const parsed = new URL(url)
  if (!parsed.searchParams.has('heartbeat')) parsed.searchParams.set('heartbeat', '10')
  return parsed.href
}
