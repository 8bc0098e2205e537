import type { IncomingMessage, Server } from 'node:http'
import type { Redis } from 'ioredis'
import type { Knex } from 'knex'
import type { Auth } from '../lib/auth/index.ts'
import { createDeltaFeed, type DeltaFeed } from '../lib/events/delta-feed.ts'
import { createEventFeed } from '../lib/events/feed.ts'
import { createJobWaiter, type JobWaiter } from '../lib/events/job-waiter.ts'
import { createTails } from '../lib/events/tail.ts'
import type { Gate } from '../lib/gate/gate.ts'
import { rateLimitHeaders } from '../lib/gate/headers.ts'
import type { Logger } from '../lib/logger.ts'
import { createCredentialsInForce } from '../lib/store/people/credentials-in-force.ts'
import { createEventStore } from '../lib/store/events/events.ts'
import { createConnectionSlots } from './connection-slots.ts'
import { type CredentialWatch, createCredentialWatch } from './credential-watch.ts'
import type { Endpoint } from './endpoint.ts'
import { refusal } from './middleware/rate-limit.ts'
import { type JobEventNeeds, jobEventEndpoints } from './routes/job-events.ts'
import type { CanSubscribe } from './sockets/connection.ts'
import { attachSockets, type LimitUpgrade, type Sockets } from './sockets/index.ts'
import { type SocketLimits, socketLimits } from './sockets/limits.ts'

export type News = {
  /** ends waits of requests with the news of their job */
  waiter: JobWaiter
  /** the text of running jobs */
  deltas: Pick<DeltaFeed, 'follow'>
  /** tells when the credential of what is still open ends */
  watch: Pick<CredentialWatch, 'add' | 'remove'>
  /** `GET /jobs/:id/events` */
  endpoints: Endpoint[]
  /** Begins to follow the log; to be called once, before anything is served. */
  start(): void
  /** Serves `/ws`. @param addressOf the client's address of an upgrade, for its limits */
  serveSockets(server: Server, addressOf: (request: IncomingMessage) => string): void
  /** connections of this process */
  sockets(): number
  /** aborted when the server goes away */
  goingAway: AbortSignal
  /** Tells sockets and streams to come back elsewhere, and closes them. */
  goAway(): Promise<void>
  /** To be called when nothing is served any more. The clients stay open. */
  stop(): Promise<void>
}

/** More often than once a minute, as `ConnectionSlots` asks. */
const keepMs = 30_000

/** What one API process has of the news: one feed of the log and one of running texts, and those who listen to them. */
export function createLiveUpdates({
  knex,
  redis,
  subscriber,
  prefix,
  auth,
  gate,
  jobs,
  endedAmong,
  canSubscribe,
  limits = socketLimits,
  log
}: {
  knex: Knex
  redis: Redis
  /** a client in subscriber mode; may be shared with others */
  subscriber: Redis
  prefix: string
  auth: Pick<Auth, 'authenticator' | 'tickets'>
  gate: Pick<Gate, 'hold' | 'isDegraded'>
  jobs: JobEventNeeds['jobs']
  endedAmong: (jobIds: string[]) => Promise<string[]>
  canSubscribe: CanSubscribe
  limits?: SocketLimits
  log: Logger
}): News {
  const events = createEventStore({ knex })
  const feed = createEventFeed({ subscriber, events, prefix, log })
  const deltas = createDeltaFeed({ redis, subscriber, prefix, log })
  const waiter = createJobWaiter({ feed, endedAmong, log })
  const openTail = createTails({ feed, events, log })
  const watch = createCredentialWatch({
    subscriber,
    prefix,
    inForce: createCredentialsInForce({ knex }),
    forget: auth.authenticator.forget,
    log
  })
  const places = createConnectionSlots({ redis, prefix, limits, log })
  const goingAway = new AbortController()
  let sockets: Sockets | undefined
  let keeping: NodeJS.Timeout | undefined

  return {
    waiter,
    deltas,
    watch,
    endpoints: jobEventEndpoints({
      jobs,
      events,
      openTail,
      deltas,
      waiter,
      watch,
      places,
      goingAway: goingAway.signal
    }),
    start() {
      feed.start()
      deltas.start()
      watch.start()
      keeping = setInterval(() => {
        places.keep().catch((error: unknown) => log.warn({ err: error }, 'places of connections could not be kept'))
      }, keepMs)
    },
    serveSockets(server, addressOf) {
      sockets = attachSockets({
        server,
        credentials: {
          authenticate: (token) => auth.authenticator.authenticate(token),
          redeem: (ticket) => auth.tickets.redeem(ticket)
        },
        limit: limitByAddress(gate, addressOf),
        watch,
        canSubscribe,
        openTail,
        deltas,
        places,
        addressOf,
        limits,
        log
      })
    },
    sockets: () => sockets?.count() ?? 0,
    goingAway: goingAway.signal,
    async goAway() {
      goingAway.abort()
      await sockets?.close()
    },
    async stop() {
      clearInterval(keeping)
      await Promise.all([watch.stop(), deltas.stop(), feed.stop()])
    }
  }
}

/** One token of the address for each upgrade that is asked for. */
function limitByAddress(
  gate: Pick<Gate, 'hold' | 'isDegraded'>,
  addressOf: (request: IncomingMessage) => string
): LimitUpgrade {
  return async (request) => {
    const subject = { kind: 'address', address: addressOf(request) } as const
    const { ok, buckets } = await gate.hold({ subject, buckets: ['address'] })
    const retryAfterSeconds = Math.ceil(Math.max(0, ...buckets.map(({ retryAfterMs }) => retryAfterMs)) / 1_000)
    return {
      headers: rateLimitHeaders({ ok, degraded: gate.isDegraded(), buckets, retryAfterSeconds }),
      refusal: ok ? undefined : refusal({ refusedBy: ['address'], retryAfterSeconds })
    }
  }
}
