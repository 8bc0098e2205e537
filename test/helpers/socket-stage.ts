import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ExecutionContext } from 'ava'
import express from 'express'
import { WebSocket } from 'ws'
import { createCredentialWatch } from '../../api/credential-watch.ts'
import { attachSockets, type LimitUpgrade, type Sockets } from '../../api/sockets/index.ts'
import { type SocketLimits, socketLimits } from '../../api/sockets/limits.ts'
import { mountEndpoints } from '../../api/mount.ts'
import { problemHandler } from '../../api/middleware/problems.ts'
import { requestId } from '../../api/middleware/request-id.ts'
import { jobEventEndpoints } from '../../api/routes/job-events.ts'
import { createAuth } from '../../lib/auth/index.ts'
import { createDeltaFeed } from '../../lib/events/delta-feed.ts'
import { createEventFeed } from '../../lib/events/feed.ts'
import { createJobWaiter } from '../../lib/events/job-waiter.ts'
import { createTails } from '../../lib/events/tail.ts'
import { notFound } from '../../lib/errors.ts'
import { createRecords } from '../../lib/records/records.ts'
import { createCredentialsInForce } from '../../lib/store/credentials-in-force.ts'
import { createJobStore } from '../../lib/store/jobs.ts'
import { cheapCost, testSecret } from './auth.ts'
import { eventually } from './context.ts'
import { connected, gateFor } from './gate.ts'
import { createEventStage, type EventStage } from './event-stage.ts'

/** The room of the sockets over real services: what one API process has for them, and people who may connect. */
export type SocketStage = EventStage & {
  auth: ReturnType<typeof createAuth>
  records: ReturnType<typeof createRecords>
  /** Serves `/ws` as one more API process. */
  serve(options?: { limit?: LimitUpgrade; redisUrl?: string; limits?: Partial<SocketLimits> }): Promise<Served>
  /** A person with a JWT. */
  newPerson(): Promise<{ id: string; token: string }>
  open(url: string, options: { token?: string; query?: string }): Promise<TestSocket>
}

export type Served = { url: string; http: string; sockets: Sockets; goAway: () => void }

export type Pushed = Record<string, unknown> & { type: string }
export type TestSocket = {
  socket: WebSocket
  /** everything the server sent, in order */
  got: Pushed[]
  send(message: unknown): void
  /** Sends and waits for the answer with the same id. */
  ask(message: { id: number; [field: string]: unknown }): Promise<Pushed>
  /** the events, without those of registering */
  events(): { position: number; channel: string; event: { id: string; type: string } }[]
  closed: Promise<{ code: number; reason: string }>
}

export async function createSocketStage(t: Pick<ExecutionContext, 'teardown'>): Promise<SocketStage> {
  const stage = await createEventStage(t)
  const { knex, redis, prefix, transaction, eventLog, events, log } = stage
  const auth = createAuth({
    knex,
    redis,
    prefix,
    transaction,
    events: eventLog,
    secret: testSecret,
    cancelJobsOf: async () => undefined,
    onError: (error) => log.warn({ err: error }, 'auth'),
    passwordCost: cheapCost
  })
  const jobStore = createJobStore({ knex })
  const records = createRecords({
    knex,
    transaction,
    events: eventLog,
    eventStore: events,
    texts: { changed: async () => undefined, removed: async () => undefined },
    ownsJob: async (actor, jobId) => (await jobStore.ownerOf(jobId)) === actor.id
  })
  let people = 0

  return {
    ...stage,
    auth,
    records,
    async serve({ limit, redisUrl = stage.isolation.redisUrl, limits = {} } = {}) {
      const subscriber = stage.openRedis('subscriber', redisUrl)
      const commands = stage.openRedis('commands', redisUrl)
      const feed = createEventFeed({ subscriber, events, prefix, log })
      const deltas = createDeltaFeed({ redis: commands, subscriber, prefix, log })
      const watch = createCredentialWatch({ subscriber, prefix, inForce: createCredentialsInForce({ knex }), log })
      feed.start()
      deltas.start()
      watch.start()
      const goingAway = new AbortController()
      const openTail = createTails({ feed, events, log })
      const endedAmong = (ids: string[]) => jobStore.endedAmong(ids)
      const waiter = createJobWaiter({ feed, endedAmong, log })
      const gate = gateFor({ redis: await connected(t, stage.isolation.redisUrl), prefix })
      const endpoints = jobEventEndpoints({
        jobs: {
          async find(actor, id) {
            const job = await jobStore.find(id, actor.id)
            if (!job) throw notFound('the job')
            return job
          }
        },
        events,
        openTail,
        deltas,
        waiter,
        watch,
        goingAway: goingAway.signal
      })
      const app = express()
        .use(requestId())
        .use('/api/v1', mountEndpoints({ endpoints, basePath: '/api/v1', authenticator: auth.authenticator, gate }))
        .use((_req, res) => res.end('plain'))
        .use(problemHandler({ log }))
      const server = createServer(app)
      const sockets = attachSockets({
        server,
        credentials: {
          authenticate: (token) => auth.authenticator.authenticate(token),
          redeem: (ticket) => auth.tickets.redeem(ticket)
        },
        limit,
        watch,
        canSubscribe: (actor, channel) => records.access.canSubscribe(actor, channel),
        openTail,
        deltas,
        redis: commands,
        prefix,
        limits: { ...socketLimits, ...limits },
        log
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      stage.closeFirst(async () => {
        goingAway.abort()
        await sockets.close()
        await watch.stop()
        await deltas.stop()
        await feed.stop()
        server.close()
        server.closeAllConnections()
        await gate.close()
      })
      await eventually(async () => feed.position() !== undefined)
      const at = `127.0.0.1:${(server.address() as AddressInfo).port}`
      return { url: `ws://${at}/ws`, http: `http://${at}`, sockets, goAway: () => goingAway.abort() }
    },
    async newPerson() {
      people++
      const email = `person${people}@example.test`
      const { user, token } = await auth.accounts.register({ email, password: 'long enough', name: 'Person' })
      return { id: user.id, token }
    },
    open: openSocket
  }
}

async function openSocket(url: string, { token, query = '' }: { token?: string; query?: string }): Promise<TestSocket> {
  const socket = new WebSocket(
    url + query,
    token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }
  )
  const got: Pushed[] = []
  socket.on('message', (data) => got.push(JSON.parse((data as Buffer).toString())))
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }))
  })
  await once(socket, 'open')
  socket.on('error', () => {})
  const send = (message: unknown) => socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  return {
    socket,
    got,
    send,
    async ask(message) {
      send(message)
      return await eventually(async () => got.find(({ id }) => id === message.id))
    },
    events: () =>
      got.filter(({ type, event }) => type === 'event' && (event as { type: string }).type !== 'user.created') as never,
    closed
  }
}

/** The answer to an upgrade that is not granted. */
export async function refusedUpgrade(
  url: string,
  headers: Record<string, string> = {}
): Promise<{
  status: number
  headers: Record<string, string | string[] | undefined>
  problem: Record<string, unknown>
}> {
  const socket = new WebSocket(url, { headers })
  socket.on('error', () => {})
  return await new Promise((resolve, reject) => {
    socket.on('open', () => reject(new Error('the upgrade was granted')))
    socket.on('unexpected-response', (_request, response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          problem: JSON.parse(Buffer.concat(chunks).toString())
        })
      )
    })
  })
}
