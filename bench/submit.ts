import { runBench } from './suite/run-bench.ts'
import { bullmqApp, openSubmitting, platformApp } from './suite/submitting.ts'

await runBench({
  name: 'submit',
  about: `POST /embeddings on the real API: authenticated, gated, the row committed, the job queued. Beside it the thinnest
Express app that answers after BullMQ's queue.add. No worker runs.`,
  options: {
    connections: { default: '64', about: 'connections at once, each of a user' },
    seconds: { default: '5', about: 'seconds of a turn' }
  },
  async measure(tools) {
    const stage = await openSubmitting(tools)
    const ours = await platformApp(stage)
    const others = [await bullmqApp(stage)]
    const title = `POST /embeddings, ${tools.options.connections} connections`
    return {
      comparisons: [
        await tools.run({ title, unit: 'a second', better: 'more', ours, others, mustReach: 0.4, aim: 0.7 })
      ]
    }
  }
})
