import type { RunAnswer, RunOrder } from '../baselines/serve-runs.ts'
import type { Side } from './compare.ts'

type Worker = { ask<T>(order: RunOrder): Promise<T> }

/**
 * A side that measures jobs a second. Its first turn does a tenth of `first` jobs and is followed by one of `first`, from
 * which it learns how many take about `seconds`: those are what later turns do.
 */
export function runsOf(
  name: string,
  run: (jobs: number) => Promise<RunAnswer>,
  { seconds, first, most }: { seconds: number; first: number; most: number }
): Side {
  let jobs: number | undefined
  return {
    name,
    async turn() {
      if (jobs === undefined) {
        await measure(name, run, Math.ceil(first / 10))
        const rate = await measure(name, run, first)
        jobs = Math.max(first, Math.min(most, Math.round(rate * seconds)))
        return rate
      }
      return await measure(name, run, jobs)
    }
  }
}

/** A worker program of `bench/baselines/`. */
export const askRun =
  (worker: Worker) =>
  (jobs: number): Promise<RunAnswer> =>
    worker.ask<RunAnswer>({ jobs })

/** The same with a number of jobs that is always the same. */
export function exactRunsOf(name: string, run: (jobs: number) => Promise<RunAnswer>, jobs: number): Side {
  return { name, turn: () => measure(name, run, jobs) }
}

async function measure(name: string, run: (jobs: number) => Promise<RunAnswer>, jobs: number): Promise<number> {
  const answer = await run(jobs)
  if (answer.stored !== jobs) throw new Error(`${name}: of ${jobs} jobs ${answer.stored} results are stored`)
  return jobs / answer.seconds
}
