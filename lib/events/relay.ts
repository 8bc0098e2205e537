import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { Knex } from 'knex'
import type { ReportWork } from '../time/work-report.ts'
import type { DeadLetters } from '../dead-letters/dead-letters.ts'
import type { RetryDeadLetter } from '../dead-letters/retry.ts'
import type { Logger } from '../logger.ts'
import { createEventStore } from '../store/events/events.ts'
import { createRelayStore } from '../store/events/relay.ts'
import { createDoorbell } from '../time/doorbell.ts'
import { type Leadership, lead } from './leadership.ts'
import { pause } from '../time/pause.ts'
import type { Publisher } from './publisher.ts'
import { createRabbitMqSink } from './rabbitmq-sink.ts'
import { createRedeliver } from './redeliver.ts'
import { redisChannels } from '../redis/channels.ts'
import { createRedisSink } from './redis-sink.ts'
import { type Sink, sinkKind } from './sink.ts'

export type Relay = {
  /** Begins to stand by, and leads as soon as no other relay does. */
  start(): void
  /** Lets what is being delivered arrive (up to 1 s), saves the cursors and frees the lease. Safe to call twice. */
  stop(): Promise<void>
  leading(): boolean
  /** how what was put aside is tried again, by kind of dead letter; any process may */
  retries: Record<string, RetryDeadLetter>
}

/** A leader that dies is replaced after at most this and one look of a standby: under 3 s. */
const leaseMs = 2_000
const standbyMs = 250

/**
 * The one writer of the log's order: gives committed events their positions and carries them to every sink.
 * Any number may run; one leads, by a lease in Postgres with an epoch, and writes of one that was replaced fail.
 * @param knex a connection or two are used
 * @param subscriber a Redis client in subscriber mode; may be shared with others
 * @param publisher absent when there is no broker: RabbitMQ's cursor is then forgotten and holds nothing back
 * @param holder a name for people to recognise this process by; made unique here
 * @param retentionDays events older than this are removed once every sink has them
 * @param sinks further ones, besides Redis and RabbitMQ
 */
export function createRelay({
  knex,
  redis,
  subscriber,
  publisher,
  prefix,
  holder,
  retentionDays,
  sinks = [],
  deadLetters,
  report,
  log
}: {
  knex: Knex
  redis: Pick<Redis, 'pipeline'>
  subscriber: Redis
  publisher: Publisher | undefined
  prefix: string
  holder: string
  retentionDays: number
  sinks?: Sink[]
  /** where events go that cannot be placed, delivered or removed by themselves */
  deadLetters: DeadLetters
  report?: ReportWork
  log: Logger
}): Relay {
  const store = createRelayStore({ knex })
  const events = createEventStore({ knex })
  const name = `${holder} ${randomUUID()}`
  const bell = createDoorbell()
  const { wake } = redisChannels(prefix)
  const all = [createRedisSink({ redis, prefix }), ...(publisher ? [createRabbitMqSink({ publisher })] : []), ...sinks]
  const stopping = new AbortController()
  let running: Promise<void> | undefined
  let leading = false

  const onMessage = (channel: string) => {
    if (channel === wake) bell.ring()
  }

  async function run(): Promise<void> {
    let reachable = true
    while (!stopping.signal.aborted) {
      try {
        const lease = await store.acquire(name, leaseMs)
        reachable = true
        if (lease) {
          leading = true
          log.info({ epoch: lease.epoch }, 'relay leads')
          await lead({
            store,
            events,
            deadLetters,
            sinks: all,
            lease,
            leaseMs,
            retentionDays,
            bell,
            report,
            log,
            stopping: stopping.signal
          } satisfies Leadership)
        }
      } catch (error) {
        if (reachable) log.warn({ err: error }, 'relay cannot reach the database')
        reachable = false
      }
      leading = false
      await pause(standbyMs, stopping.signal)
    }
  }

  return {
    start() {
      if (running) return
      subscriber.on('message', onMessage)
      // While Redis is away the client remembers the subscription, and polling serves until then.
      subscriber.subscribe(wake).catch((error: unknown) => log.warn({ err: error }, 'relay is not woken, only polls'))
      running = run()
    },
    async stop() {
      stopping.abort()
      subscriber.off('message', onMessage)
      await running
    },
    leading: () => leading,
    retries: {
      ...Object.fromEntries(all.map((sink) => [sinkKind(sink.name), createRedeliver({ events, sink })])),
      // No longer put aside, they are taken up by the relay that leads.
      placing: async () => {},
      event_retention: async () => {}
    }
  }
}
