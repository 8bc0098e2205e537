import { runBench } from './suite/run-bench.ts'
import { openSubmitting, platformApp, postgresApp } from './suite/submitting.ts'

await runBench({
  name: 'submit-durable',
  about: `POST /embeddings on the real API, beside Express apps that answer when the job is a committed row: with pg-boss send
and with graphile-worker addJob. The same PostgreSQL, the same durability. No worker runs.`,
  options: {
    connections: { default: '64', about: 'connections at once, each of a user' },
    seconds: { default: '5', about: 'seconds of a turn' }
  },
  async measure(tools) {
    const submitting = await openSubmitting(tools)
    const ours = await platformApp(submitting)
    const others = [
      await postgresApp(submitting, 'Express + pg-boss send', 'baselines/express-pg-boss.ts', 'pgboss.job'),
      await postgresApp(
        submitting,
        'Express + graphile-worker addJob',
        'baselines/express-graphile-worker.ts',
        'graphile_worker.jobs'
      )
    ]
    const title = `POST /embeddings, ${tools.options.connections} connections`
    return {
      comparisons: [await tools.run({ title, unit: 'a second', better: 'more', ours, others, mustReach: 2, aim: 4 })]
    }
  }
})
