import { parseArgs } from 'node:util'
import { Queue, Worker } from 'bullmq'
import { newId } from '../lib/ids.ts'
import { createLogger } from '../lib/logger.ts'
import { createFairLine } from '../lib/queues/fair-line.ts'
import { createQueues, jobDefaults, type QueuedJob, queuePrefix } from '../lib/queues/queues.ts'
import { createRedis } from '../lib/redis.ts'
import { openBenchServices } from './bench-services.ts'

const help = `What fair queueing costs, and what it is for.

  npm run bench:fair -- [--jobs 10000] [--rounds 7] [--backlog 8800] [--users 20]

Adds --jobs jobs of --users people to a queue while it is served, sixteen at a time, and waits until the last has ended:
A with the line that serves people in turn, B with the same queue first come, first served, in alternating rounds.
Prints the jobs a second of both and the median of A / B over the rounds. Then one person has --backlog jobs waiting,
each of which takes 5 ms, and another adds one: how long it waits until it starts. Exits 1 below 0.9, or when the one
waits for more than a tenth of the backlog.`

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '7' },
    backlog: { type: 'string', default: '8800' },
    users: { type: 'string', default: '20' },
    help: { type: 'boolean', default: false }
  }
})

const places = 16
const addedAtOnce = 50
const action = 'rag_search'
const log = createLogger({ level: 'silent', name: 'bench' })

type Add = (jobId: string, owner: string) => Promise<unknown>
type Stage = { add: Add; serve(work: (owner: string) => Promise<void>): Worker<QueuedJob>; close(): Promise<void> }

function openStage(fair: boolean): Stage {
  const redisPrefix = `bench-fair-${newId()}`
  const prefix = queuePrefix(redisPrefix)
  const redis = createRedis(process.env.TEST_REDIS_URL as string, { kind: 'commands', name: 'bench', log })
  const blocking = createRedis(process.env.TEST_REDIS_URL as string, { kind: 'blocking', name: 'bench', log })
  const queues = createQueues({ redis, redisPrefix })
  const plain = new Queue<QueuedJob>(action, { connection: redis as never, prefix, defaultJobOptions: jobDefaults })
  const line = createFairLine({ redis, queue: plain })
  const workers: Worker<QueuedJob>[] = []
  return {
    add: fair
      ? (jobId, owner) => queues.add(action, jobId, { owner, origin: 'user' })
      : (jobId) => plain.add(action, { jobId }, { jobId }),
    serve(work) {
      const worker = new Worker<QueuedJob>(
        action,
        async ({ data }) => {
          if (fair) line.placeSoon() // as the pool does
          await work(data.owner ?? data.jobId)
        },
        {
          connection: blocking as never,
          prefix,
          concurrency: places,
          removeOnComplete: jobDefaults.removeOnComplete
        }
      )
      workers.push(worker)
      return worker
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.close()))
      await line.close()
      await plain.obliterate({ force: true })
      await Promise.all([queues.close(), plain.close()])
      const left = await redis.keys(`${prefix}*`)
      if (left.length > 0) await redis.del(left)
      redis.disconnect()
      blocking.disconnect()
    }
  }
}

/** Jobs a second, from the first that is added to the last that has ended. */
async function throughput(fair: boolean, jobs: number, users: number): Promise<number> {
  const stage = openStage(fair)
  try {
    const done = Promise.withResolvers<void>()
    let ended = 0
    stage.serve(async () => {
      if (++ended === jobs) done.resolve()
    })
    const from = performance.now()
    let next = 0
    const adder = async () => {
      while (next < jobs) await stage.add(newId(), `person ${next++ % users}`)
    }
    await Promise.all(Array.from({ length: addedAtOnce }, adder))
    await done.promise
    return (jobs / (performance.now() - from)) * 1_000
  } finally {
    await stage.close()
  }
}

/** Milliseconds from adding one job to its start, behind the backlog of somebody else; each job takes 5 ms. */
async function waitOfOne(fair: boolean, backlog: number): Promise<number> {
  const stage = openStage(fair)
  try {
    let next = 0
    const adder = async () => {
      while (next++ < backlog) await stage.add(newId(), 'many')
    }
    await Promise.all(Array.from({ length: addedAtOnce }, adder))
    const one = newId()
    const started = Promise.withResolvers<number>()
    stage.serve(async (who) => {
      if (who === one) started.resolve(performance.now())
      await new Promise((resolve) => setTimeout(resolve, 5))
    })
    await new Promise((resolve) => setTimeout(resolve, 100))
    const from = performance.now()
    await stage.add(one, one)
    return (await started.promise) - from
  } finally {
    await stage.close()
  }
}

const median = (list: number[]): number => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] as number

async function main(): Promise<number> {
  const [jobs, rounds, backlog] = [Number(values.jobs), Number(values.rounds), Number(values.backlog)]
  const users = Number(values.users)
  const stop = await openBenchServices()
  try {
    await throughput(true, 1_000, users)
    await throughput(false, 1_000, users)
    const ratios: number[] = []
    for (let round = 0; round < rounds; round++) {
      const order = round % 2 === 0 ? [true, false] : [false, true]
      const rates = new Map<boolean, number>()
      for (const fair of order) rates.set(fair, await throughput(fair, jobs, users))
      const [a, b] = [rates.get(true) as number, rates.get(false) as number]
      ratios.push(a / b)
      console.log(
        `  round ${round + 1}: fair ${a.toFixed(0)} jobs/s, first come ${b.toFixed(0)}, ${(a / b).toFixed(3)}`
      )
    }
    const ratio = median(ratios)
    console.log(`  median of fair / first come, first served: ${ratio.toFixed(3)}`)
    const [fairWait, fifoWait] = [await waitOfOne(true, backlog), await waitOfOne(false, backlog)]
    console.log(
      `  one job behind ${backlog} of somebody else: fair ${fairWait.toFixed(0)} ms, first come ${fifoWait.toFixed(0)} ms`
    )
    return ratio >= 0.9 && fairWait < fifoWait / 10 ? 0 : 1
  } finally {
    await stop()
  }
}

if (values.help) console.log(help)
else process.exitCode = await main()
