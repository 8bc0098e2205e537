import type { CallsAnswer } from './programs/serve-calls.ts'
import { runBench } from './suite/run-bench.ts'
import { openStage } from './suite/stage.ts'

await runBench({
  name: 'gate',
  about: `One admission of the gate: a token of each of two buckets, and the decision written down for the audit. Beside it one
consume of rate-limiter-flexible. Both on the same Redis, each in a process of its own.`,
  options: {
    callers: { default: '64', about: 'callers at once, each of a user' },
    seconds: { default: '3', about: 'seconds of a turn' }
  },
  async measure({ run, options: { callers, seconds }, ...tools }) {
    const stage = await openStage({ ...tools, broker: false })
    const side = async (name: string, file: string) => {
      const program = await stage.startProgram(file)
      const turn = async () => {
        const answer = await program.ask<CallsAnswer>({ callers, seconds })
        return answer.calls / answer.seconds
      }
      return { name, turn }
    }
    const ours = await side('gate, two buckets and the audit entry', 'programs/gate.ts')
    const others = [await side('rate-limiter-flexible consume', 'baselines/rate-limiter.ts')]
    const title = `Admissions, ${callers} callers`
    return {
      comparisons: [await run({ title, unit: 'a second', better: 'more', ours, others, mustReach: 0.8, aim: 1.2 })]
    }
  }
})
