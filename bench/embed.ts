import type { ProviderAnswer } from './programs/provider.ts'
import { makePeople } from './suite/people.ts'
import { createPlatformRuns } from './suite/platform-runs.ts'
import { runBench } from './suite/run-bench.ts'
import { askRun, exactRunsOf } from './suite/runs.ts'
import { openStage } from './suite/stage.ts'

await runBench({
  name: 'embed',
  about: `Embedding jobs of one text each, from a full queue to completed rows, with a provider that takes 50 ms for a request:
jobs a second and provider requests. Beside it a BullMQ worker that makes one provider request a job, as many at once as
the platform has under way; and, not counted, one that makes as many as the platform runs jobs.`,
  options: {
    jobs: { default: '2000', about: 'jobs of a turn' },
    people: { default: '50', about: 'users whose jobs they are' },
    latency: { default: '50', about: 'milliseconds that the provider takes' },
    concurrency: { default: '64', about: 'jobs at once of the worker process' },
    calls: { default: '2', about: 'provider requests at once of the program beside it' }
  },
  async measure({ run, options: { jobs, people: count, latency, concurrency, calls }, ...tools }) {
    const stage = await openStage(tools)
    const provider = await stage.startProgram('programs/provider.ts', { LATENCY: String(latency) })
    const models = {
      OPENAI_BASE_URL: provider.url,
      OPENAI_API_KEY: 'bench',
      CHAT_MODEL: 'offline-chat-mini',
      EMBEDDING_MODEL: 'offline-embedding-small',
      DEFAULT_DAILY_BUDGET_USD: 'off'
    }
    const api = await stage.startApi(models)
    await stage.startWorkers({ ...models, WORKER_CONCURRENCY: `embedding_generation=${concurrency}` })
    const people = await makePeople(stage, count)
    const platformRun = createPlatformRuns({
      stage,
      closers: tools.closers,
      apiUrl: api.url,
      people,
      textOf: (n) => `a function that calls itself ${n} times`
    })
    const requests: number[] = []
    const atOnce: number[] = []
    const countedRun = async (n: number) => {
      const before = await provider.ask<ProviderAnswer>({})
      const answer = await platformRun(n)
      const after = await provider.ask<ProviderAnswer>({})
      requests.push(after.requests - before.requests)
      atOnce.push(after.atOnce)
      return answer
    }
    const beside = async (many: number) => {
      const env = { OPENAI_BASE_URL: provider.url, CONCURRENCY: String(many) }
      const worker = await stage.startProgram('baselines/embed-worker.ts', env)
      return exactRunsOf(`BullMQ, a request a job, ${many} at once`, askRun(worker), jobs)
    }
    const comparison = await run({
      title: `${jobs} embeddings of ${count} users, provider at ${latency} ms`,
      unit: 'jobs/s',
      better: 'more',
      ours: exactRunsOf('AI Goals Tracker', countedRun, jobs),
      others: [await beside(calls)],
      besides: [await beside(concurrency)],
      mustReach: 10,
      aim: 20
    })
    tools.say(`  the platform had at most ${Math.max(...atOnce)} provider requests under way at once`)
    const most = Math.max(...requests)
    return {
      comparisons: [comparison],
      checks: [{ title: 'most provider requests of a turn', unit: 'requests', value: most, atMost: 40 }]
    }
  }
})
