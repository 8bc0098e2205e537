import { makePeople } from './suite/people.ts'
import { runBench } from './suite/run-bench.ts'
import { setDailyBudget } from './suite/set-budget.ts'
import { openSubmitting, submissionsBy } from './suite/submitting.ts'

await runBench({
  name: 'submit-one',
  about: `POST /embeddings on the real API, all of one user: who has a daily budget, which every submission reserves of, and
who has none. No worker runs.`,
  options: {
    connections: { default: '64', about: 'connections at once, all of one user' },
    seconds: { default: '5', about: 'seconds of a turn' }
  },
  async measure(tools) {
    const submitting = await openSubmitting(tools)
    const { url } = await submitting.stage.startApi()
    const [bounded, free] = (await makePeople(submitting.stage, 2)).map((person) => [person])
    if (!bounded?.[0] || !free) throw new Error('two people are needed')
    await setDailyBudget(url, submitting.stage.admin, bounded[0].id, 100_000)
    const ours = submissionsBy(submitting, 'with a daily budget', url, bounded)
    const others = [submissionsBy(submitting, 'without one', url, free)]
    const title = `POST /embeddings of one user, ${tools.options.connections} connections`
    return {
      comparisons: [
        await tools.run({ title, unit: 'a second', better: 'more', ours, others, mustReach: 0.7, aim: 0.95 })
      ]
    }
  }
})
