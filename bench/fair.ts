import { parseArgs } from 'node:util'
import { Queue, Worker } from 'bullmq'
import { newId } from '../lib/ids.ts'
import { createLogger } from '../lib/logger.ts'
import { createQueues, jobDefaults, type QueuedJob, queuePrefix } from '../lib/queues/queues.ts'
import { createRedis } from '../lib/redis/client.ts'
import { openBenchServices } from './bench-services.ts'

const help = `What fair queueing costs, and what it is for.

  npm run bench:fair -- [--jobs 3000] [--rounds 21] [--backlog 8800] [--users 20]

Adds --jobs jobs of --users people to a queue while it is served, sixteen at a time, and waits until the last has ended:
A with the line that serves people in turn, B with the same queue first come, first served, in alternating rounds.
Prints the jobs a second of both, the median of A / B over the rounds, and the same of the jobs a second of processor
time (this process and Redis), which a busy machine sways less. Then one person has --backlog jobs waiting,
each of which takes 5 ms, and another adds one: how long it waits until it starts. Exits 1 when the
median of jobs a second is below 0.9, or when the one waits for more than a tenth of the backlog.`

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '3000' },
    rounds: { type: 'string', default: '21' },
    backlog: { type: 'string', default: '8800' },
    users: { type: 'string', default: '20' },
    help: { type: 'boolean', default: false }
  }
})

const places = 16
const addedAtOnce = 200
const action = 'rag_search'
const log = createLogger({ level: 'silent', name: 'bench' })

type Add = (jobId: string, owner: string) => Promise<unknown>
type Stage = {
  add: Add
  serve(work: (owner: string) => Promise<void>): Worker<QueuedJob>
  /** seconds of processor time so far: this process and Redis */
  busy(): Promise<number>
  close(): Promise<void>
}

function openStage(fair: boolean): Stage {
  const redisPrefix = `bench-fair-${newId()}`
  const prefix = queuePrefix(redisPrefix)
  const redis = createRedis(process.env.TEST_REDIS_URL as string, { kind: 'commands', name: 'bench', log })
  const blocking = createRedis(process.env.TEST_REDIS_URL as string, { kind: 'blocking', name: 'bench', log })
  const queues = createQueues({ redis, redisPrefix })
  const plain = new Queue<QueuedJob>(action, { connection: redis as never, prefix, defaultJobOptions: jobDefaults })
  const workers: Worker<QueuedJob>[] = []
  return {
    add: fair
      ? (jobId, owner) => queues.add(action, jobId, { owner, origin: 'user' })
      : (jobId) => plain.add(action, { jobId }, { jobId }),
    serve(work) {
      const worker = new Worker<QueuedJob>(
        action,
        async ({ data }) => {
          if (fair) queues.line(action).placeSoon() // as the pool does
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
    async busy() {
      const info = await redis.info('cpu')
      const part = (name: string) => Number(new RegExp(`used_cpu_${name}:([\\d.]+)`).exec(info)?.[1])
      const { user, system } = process.cpuUsage()
      return (user + system) / 1e6 + part('user') + part('sys')
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.close()))
      await plain.obliterate({ force: true })
      await Promise.all([queues.close(), plain.close()])
      const left = await redis.keys(`${prefix}*`)
      if (left.length > 0) await redis.del(left)
      redis.disconnect()
      blocking.disconnect()
    }
  }
}

/** Jobs a second, from the first that is added to the last that has ended, and jobs a second of processor time. */
async function throughput(fair: boolean, jobs: number, users: number): Promise<{ rate: number; busyRate: number }> {
  const stage = openStage(fair)
  try {
    const done = Promise.withResolvers<void>()
    let ended = 0
    stage.serve(async () => {
      if (++ended === jobs) done.resolve()
    })
    const busyBefore = await stage.busy()
    const from = performance.now()
    let next = 0
    const adder = async () => {
      while (next < jobs) await stage.add(newId(), `person ${next++ % users}`)
    }
    await Promise.all(Array.from({ length: addedAtOnce }, adder))
    await done.promise
    const rate = (jobs / (performance.now() - from)) * 1_000
    return { rate, busyRate: jobs / ((await stage.busy()) - busyBefore) }
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
    const busyRatios: number[] = []
    for (let round = 0; round < rounds; round++) {
      const [first, second] = [
        await throughput(round % 2 === 0, jobs, users),
        await throughput(round % 2 === 1, jobs, users)
      ]
      const [fair, plain] = round % 2 === 0 ? [first, second] : [second, first]
      ratios.push(fair.rate / plain.rate)
      busyRatios.push(fair.busyRate / plain.busyRate)
      console.log(`  round ${round + 1}: fair ${fair.rate.toFixed(0)} jobs/s, first come ${plain.rate.toFixed(0)}`)
    }
    const [ratio, busyRatio] = [median(ratios), median(busyRatios)]
    console.log(`  median of fair / first come: ${ratio.toFixed(3)}, by processor time ${busyRatio.toFixed(3)}`)
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
