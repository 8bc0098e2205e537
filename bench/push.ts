import { performance } from 'node:perf_hooks'
import { openBenchServices } from './bench-services.ts'
import { createSocketStage } from '../test/helpers/socket-stage.ts'

/**
 * `npm run bench:push [-- events]`: the time from the commit of an event to its arrival at a WebSocket client, on an
 * otherwise idle machine: one event at a time, through Postgres, the relay, Redis and a socket, as in production; the
 * relay and the API share this process. On the services of TEST_DATABASE_URL, TEST_REDIS_URL and TEST_RABBITMQ_URL, or on
 * private ones.
 */

const count = Number(process.argv[2] ?? 500)
const targetMs = 50

const closers: (() => Promise<unknown>)[] = [await openBenchServices()]
const stage = await createSocketStage({ teardown: (close) => void closers.push(async () => await close()) })
try {
  stage.relay().start()
  const { url } = await stage.serve()
  const { id: userId, token } = await stage.newPerson()
  const client = await stage.open(url, { token })
  await client.ask({ id: 1, type: 'subscribe', channel: 'user:me' })

  const arrivals = new Map<string, PromiseWithResolvers<number>>()
  const arrivalOf = (id: string) => {
    const arrival = arrivals.get(id) ?? Promise.withResolvers<number>()
    arrivals.set(id, arrival)
    return arrival
  }
  client.socket.on('message', (data) => {
    const { event } = JSON.parse((data as Buffer).toString())
    if (event) arrivalOf(event.id).resolve(performance.now())
  })

  const times: number[] = []
  for (let i = 0; i < count + 20; i++) {
    const id = await stage.append({ userId, type: 'client.bench', data: { i } })
    const committed = performance.now()
    const took = (await arrivalOf(id).promise) - committed
    if (i >= 20) times.push(took) // the first ones warm up
    await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 20))
  }
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) => (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(1)
  console.log(`commit to push over ws, ${count} events: median ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms`)
  if (Number(at(0.95)) > targetMs) {
    console.error(`over the target of ${targetMs} ms`)
    process.exitCode = 1
  }
} finally {
  for (const close of closers.toReversed()) await close()
}
