import type { Redis } from 'ioredis'
import type { Knex } from 'knex'
import type { ExecutionContext } from 'ava'
import { createDeadLetters } from '../../lib/dead-letters/dead-letters.ts'
import { createEventLog, type EventLog, type NewEvent } from '../../lib/events/log.ts'
import { createWake, redisChannels } from '../../lib/redis/channels.ts'
import { createRelay, type Relay } from '../../lib/events/relay.ts'
import type { Publisher } from '../../lib/events/publisher.ts'
import type { Sink } from '../../lib/events/sink.ts'
import { newId } from '../../lib/ids.ts'
import { createLogger, type Logger } from '../../lib/logger.ts'
import { createRedis } from '../../lib/redis/client.ts'
import { createDeadLetterStore, type DeadLetterStore } from '../../lib/store/operations/dead-letters.ts'
import { createEventStore, type EventStore, type LogEntry } from '../../lib/store/events/events.ts'
import { createRelayStore, type RelayStore } from '../../lib/store/events/relay.ts'
import { createKnex } from '../../lib/store/knex.ts'
import { createTransaction, type Transaction } from '../../lib/store/transaction.ts'
import { createIsolation, type Isolation } from './services.ts'

/** What the news needs and nothing else: a database, a log and clients. Closed and removed with its test. */
export type EventStage = {
  isolation: Isolation
  knex: Knex
  redis: Redis
  log: Logger
  prefix: string
  transaction: Transaction
  eventLog: EventLog
  events: EventStore
  relayStore: RelayStore
  deadLetterStore: DeadLetterStore
  openRedis(kind: 'commands' | 'subscriber', url?: string): Redis
  newUser(): Promise<string>
  /** Appends one event in a transaction of its own. Returns the event's id. */
  append(event: Partial<NewEvent>): Promise<string>
  /** All placed events, ascending. */
  placed(): Promise<LogEntry[]>
  relay(options?: { publisher?: Publisher; sinks?: Sink[]; redis?: Redis; retentionDays?: number }): Relay
  /** To be closed before the clients are. */
  closeFirst(close: () => Promise<unknown>): void
}

export async function createEventStage(t: Pick<ExecutionContext, 'teardown'>): Promise<EventStage> {
  const isolation = await createIsolation()
  const { databaseUrl, schema, prefix } = isolation
  const log = createLogger({ level: process.env.LOG_LEVEL ?? 'silent', name: 'test' })
  const knex = createKnex({ databaseUrl, schema, poolMax: 20 })
  const clients: Redis[] = []
  const first: (() => Promise<unknown>)[] = []
  const openRedis: EventStage['openRedis'] = (kind, url = isolation.redisUrl) => {
    const client = createRedis(url, { kind, name: prefix, log })
    clients.push(client)
    return client
  }
  t.teardown(async () => {
    for (const close of first.toReversed()) await close()
    for (const client of clients) client.disconnect()
    await knex.destroy()
    await isolation.remove()
  })
  const redis = openRedis('commands')
  const transaction = createTransaction({ knex, onError: (error) => log.warn({ err: error }, 'wake failed') })
  const eventLog = createEventLog({ transaction, wake: createWake({ redis, prefix }) })
  const events = createEventStore({ knex })
  const deadLetterStore = createDeadLetterStore({ knex })
  return {
    isolation,
    knex,
    redis,
    log,
    prefix,
    transaction,
    eventLog,
    events,
    relayStore: createRelayStore({ knex }),
    deadLetterStore,
    openRedis,
    async newUser() {
      const id = newId()
      await knex('users').insert({ id, email: `${id}@example.test`, password_hash: 'none' })
      return id
    },
    append: (event) =>
      transaction.transact((trx) =>
        eventLog.append(trx, { type: 'goal.created', userId: null, subject: newId(), data: {}, ...event })
      ),
    placed: () => events.after(0, 1_000_000),
    relay({ publisher, sinks = [], redis: client = redis, retentionDays = 30 } = {}) {
      const relay = createRelay({
        knex,
        redis: client,
        subscriber: openRedis('subscriber'),
        publisher,
        prefix,
        holder: 'test',
        retentionDays,
        sinks,
        deadLetters: createDeadLetters({ store: deadLetterStore, log }),
        log
      })
      first.push(() => relay.stop())
      return relay
    },
    closeFirst: (close) => void first.push(close)
  }
}

export type HeardMessage = {
  position: number
  previous: number
  channels: string[]
  event: { id: string; type: string }
}

/** Everything the relay says by Redis from now on. */
export async function listenToRedis(stage: Pick<EventStage, 'openRedis' | 'prefix'>): Promise<HeardMessage[]> {
  const heard: HeardMessage[] = []
  const subscriber = stage.openRedis('subscriber')
  subscriber.on('message', (_channel, text: string) => heard.push(JSON.parse(text)))
  await subscriber.subscribe(redisChannels(stage.prefix).events)
  return heard
}
