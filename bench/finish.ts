import { makePeople } from './suite/people.ts'
import { createPlatformRuns } from './suite/platform-runs.ts'
import { runBench } from './suite/run-bench.ts'
import { askRun, runsOf } from './suite/runs.ts'
import { openStage } from './suite/stage.ts'

await runBench({
  name: 'finish',
  about: `Jobs a second, from a full queue to completed rows with their events, audits and ledger: one embedding each, of 64
users, from the offline provider without latency. Beside it workers whose handlers store a result: graphile-worker as its
docs begin and with the batching that they recommend, pg-boss, and BullMQ on its PostgreSQL backend.`,
  options: {
    concurrency: { default: '64', about: 'jobs at once of each worker process' },
    seconds: { default: '5', about: 'seconds that a turn takes, about' },
    vector: { default: '0', about: '1: the others store 1536 numbers too, not only an answer without any' },
    broker: { default: '1', about: '0: without RabbitMQ' }
  },
  async measure({ run, options: { concurrency, seconds, vector, broker }, ...tools }) {
    const stage = await openStage({ ...tools, broker: broker > 0 })
    const api = await stage.startApi()
    await stage.startWorkers({ WORKER_CONCURRENCY: `embedding_generation=${concurrency}` })
    const people = await makePeople(stage, 64)
    const size = { seconds, first: 200, most: 20_000 }
    const theirSize = { ...size, first: 2_000 }
    const platformRun = createPlatformRuns({
      stage,
      closers: tools.closers,
      apiUrl: api.url,
      people,
      textOf: (n) => `a function that calls itself ${n} times`
    })
    const ours = runsOf('AI Goals Tracker', platformRun, size)
    const env = { CONCURRENCY: String(concurrency), ...(vector > 0 ? { VECTOR: '1' } : {}) }
    const baseline = async (name: string, file: string, more = {}) =>
      runsOf(name, askRun(await stage.startProgram(`baselines/${file}`, { ...env, ...more })), theirSize)
    const others = [
      await baseline('graphile-worker', 'graphile-worker.ts'),
      await baseline('graphile-worker, batching', 'graphile-worker.ts', { BATCHING: '1' }),
      await baseline('pg-boss, batches', 'pg-boss-worker.ts'),
      await baseline('BullMQ on PostgreSQL', 'bullmq-postgres-worker.ts')
    ]
    // Its handler does no work of a job's own: what a batch returns is stored by the statement that completes the batch.
    const besides = [await baseline('pg-boss, outputs of whole batches', 'pg-boss-worker.ts', { OUTPUTS: '1' })]
    const title = `Jobs completed, ${concurrency} at once`
    return {
      comparisons: [await run({ title, unit: 'jobs/s', better: 'more', ours, others, besides, mustReach: 1, aim: 2 })]
    }
  }
})
