import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ExecutionContext } from 'ava'
import express from 'express'
import { WebSocket } from 'ws'
import { createBodyReader } from '../../api/intake/body-reader.ts'
import { type SocketLimits, socketLimits } from '../../api/sockets/limits.ts'
import { createLiveUpdates, type News } from '../../api/live-updates.ts'
import { clientAddress } from '../../api/middleware/client-address.ts'
import { defaultLimits } from '../../lib/gate/limits.ts'
import { mountEndpoints } from '../../api/mount.ts'
import { problemHandler } from '../../api/middleware/problems.ts'
import { requestId } from '../../api/middleware/request-id.ts'
import { createAuth } from '../../lib/auth/index.ts'
import { notFound } from '../../lib/errors/app-error.ts'
import { createLogger } from '../../lib/logger.ts'
import { createRecords } from '../../lib/records/records.ts'
import { createJobStore } from '../../lib/store/jobs/jobs.ts'
import { cheapCost, testSecret } from './auth.ts'
import { eventually } from './context.ts'
import { connected, gateFor } from './gate.ts'
import { createEventStage, type EventStage } from './event-stage.ts'

/** The room of the sockets over real services: what one API process has for them, and people who may connect. */
export type SocketStage = EventStage & {
  auth: ReturnType<typeof createAuth>
  records: ReturnType<typeof createRecords>
  /** Serves `/ws` as one more API process. */
  serve(options?: {
    upgradesPerMinute?: number
    redisUrl?: string
    limits?: Partial<SocketLimits>
    onLog?: (line: string) => void
  }): Promise<Served>
  /** A person with a JWT. */
  newPerson(): Promise<{ id: string; token: string }>
  open(url: string, options: { token?: string; query?: string }): Promise<TestSocket>
}

export type Served = News & { url: string; http: string }

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
    async serve({ upgradesPerMinute = 100_000, redisUrl = stage.isolation.redisUrl, limits = {}, onLog } = {}) {
      const subscriber = stage.openRedis('subscriber', redisUrl)
      const commands = stage.openRedis('commands', redisUrl)
      const gate = gateFor({
        redis: await connected(t, stage.isolation.redisUrl),
        prefix,
        limits: { ...defaultLimits, address: { limitPerMinute: upgradesPerMinute, burst: 1 } }
      })
      const news = createLiveUpdates({
        knex,
        redis: commands,
        subscriber,
        prefix,
        auth,
        gate,
        jobs: {
          async find(actor, id) {
            const job = await jobStore.find(id, actor.id)
            if (!job) throw notFound('the job')
            return job
          }
        },
        endedAmong: (ids) => jobStore.endedAmong(ids),
        canSubscribe: (actor, channel) => records.access.canSubscribe(actor, channel),
        limits: { ...socketLimits, ...limits },
        log: onLog ? createLogger({ level: 'info', name: 'test' }, { write: onLog }) : log
      })
      const { endpoints, watch } = news
      const bodies = createBodyReader()
      const app = express()
        .use(requestId())
        .use(
          '/api/v1',
          mountEndpoints({ endpoints, basePath: '/api/v1', authenticator: auth.authenticator, gate, watch, bodies })
        )
        .use((_req, res) => res.end('plain'))
        .use(problemHandler({ log }))
      const server = createServer(app)
      news.start()
      news.serveSockets(server, clientAddress(app))
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      stage.closeFirst(async () => {
        await news.goAway()
        await news.stop()
        server.close()
        server.closeAllConnections()
        await gate.close()
        await bodies.close()
      })
      const at = `127.0.0.1:${(server.address() as AddressInfo).port}`
      return { url: `ws://${at}/ws`, http: `http://${at}`, ...news }
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
