import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Queue, QueueEvents } from 'bullmq'
import { WebSocket } from 'ws'
import type { Closers } from '../scripts/start/closers.ts'
import { makePeople, type Person } from './suite/people.ts'
import { runBench } from './suite/run-bench.ts'
import { openStage, type Stage } from './suite/stage.ts'
import { quantile } from './suite/statistics.ts'

/** Does one thing and resolves when the end of it was heard of. */
type RoundTrip = () => Promise<void>

await runBench({
  name: 'latency',
  about: `From sending POST /embeddings to the WebSocket message that the job is completed, one after the other on an otherwise
idle platform: API, worker, relay and broker run, the offline provider takes no time. Beside it BullMQ alone: from
queue.add to QueueEvents' completed, with a worker in a process of its own.`,
  options: {
    samples: { default: '100', about: 'round trips of a turn' },
    broker: { default: '1', about: '0: without RabbitMQ' }
  },
  async measure({ run, options: { samples, broker }, ...tools }) {
    const stage = await openStage({ ...tools, broker: broker > 0 })
    const trips = {
      'AI Goals Tracker': await openPlatformTrip(stage, tools.closers),
      'BullMQ add to completed': await openBullmqTrip(stage, tools.closers)
    }
    const comparePart = async (title: string, share: number) => {
      const [ours, other] = Object.entries(trips).map(([name, trip]) => ({
        name,
        turn: async () => quantile(await times(trip, samples), share)
      }))
      if (!ours || !other) throw new Error('two sides are needed')
      return await run({ title, unit: 'ms', better: 'less', ours, others: [other], mustReach: 5, aim: 2 })
    }
    return {
      comparisons: [
        await comparePart('Submission to push, p50', 0.5),
        await comparePart('Submission to push, p99', 0.99)
      ]
    }
  }
})

async function times(trip: RoundTrip, samples: number): Promise<number[]> {
  const all: number[] = []
  for (let n = 0; n < samples; n++) {
    const from = performance.now()
    await trip()
    all.push(performance.now() - from)
    await delay(5 + Math.random() * 20)
  }
  return all
}

/** Resolves with what is waited for by its key, whichever of the two comes first: the key or the end. */
function createArrivals() {
  const arrivals = new Map<string, PromiseWithResolvers<void>>()
  const of = (id: string) => {
    const arrival = arrivals.get(id) ?? Promise.withResolvers<void>()
    arrivals.set(id, arrival)
    return arrival
  }
  return {
    came: (id: string) => of(id).resolve(),
    async wait(id: string) {
      await of(id).promise
      arrivals.delete(id)
    }
  }
}

async function openPlatformTrip(stage: Stage, closers: Closers): Promise<RoundTrip> {
  const { url } = await stage.startApi()
  await stage.startWorkers()
  const [{ authorization }] = (await makePeople(stage, 1)) as [Person]
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, { headers: { authorization } })
  await once(socket, 'open')
  closers.add(async () => socket.terminate())
  const arrivals = createArrivals()
  const subscribed = Promise.withResolvers<void>()
  socket.on('message', (data) => {
    const message = JSON.parse((data as Buffer).toString()) as {
      id?: number
      error?: unknown
      event?: { type: string; subject?: string }
    }
    if (message.id === 1) subscribed[message.error ? 'reject' : 'resolve'](message.error as undefined)
    if (message.event?.type.startsWith('job.completed')) arrivals.came(message.event.subject as string)
  })
  socket.send(JSON.stringify({ id: 1, type: 'subscribe', channel: 'user:me' }))
  await subscribed.promise
  let n = 0
  return async () => {
    const headers = { authorization, 'content-type': 'application/json' }
    const body = JSON.stringify({ input: `a function that calls itself ${n++} times` })
    const response = await fetch(`${url}/api/v1/embeddings`, { method: 'POST', headers, body })
    if (response.status !== 202) throw new Error(`a submission was answered ${response.status}`)
    await arrivals.wait(((await response.json()) as { id: string }).id)
  }
}

async function openBullmqTrip(stage: Stage, closers: Closers): Promise<RoundTrip> {
  await stage.startProgram('baselines/bullmq-worker.ts')
  const connection = { url: stage.redisUrl }
  const queue = new Queue('hello', { connection })
  const events = new QueueEvents('hello', { connection })
  closers.add(async () => void (await Promise.all([queue.close(), events.close()])))
  await events.waitUntilReady()
  const arrivals = createArrivals()
  events.on('completed', ({ jobId }) => arrivals.came(jobId))
  let n = 0
  return async () => {
    const { id } = await queue.add('hello', { n: n++ })
    await arrivals.wait(id as string)
  }
}
