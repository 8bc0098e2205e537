/** What a bench asks of a worker program: add so many jobs, and say when the last one has ended. */
export type RunOrder = { jobs: number }
/** Seconds from the start of the first job to the end of the last one, and how many results were stored. */
export type RunAnswer = { seconds: number; stored: number }

/**
 * Tells the bench that this worker is ready, and serves its runs, one at a time.
 * @param add adds the jobs
 * @param countStored how many results are stored at the end
 */
export function serveRuns({
  add,
  countStored
}: {
  add: (jobs: number) => Promise<unknown>
  countStored: () => Promise<number>
}): { started(): void; ended(): void } {
  let startedAt: number | undefined
  let left = 0
  let done = Promise.withResolvers<number>()

  async function run({ jobs }: RunOrder): Promise<RunAnswer> {
    startedAt = undefined
    left = jobs
    done = Promise.withResolvers()
    const before = await countStored()
    await add(jobs)
    const endedAt = await done.promise
    return { seconds: (endedAt - (startedAt ?? endedAt)) / 1_000, stored: (await countStored()) - before }
  }

  process.on('message', (order: RunOrder) => {
    run(order).then(
      (answer) => process.send?.(answer),
      (error: unknown) => process.send?.({ error: String(error) })
    )
  })
  process.on('disconnect', () => process.exit())
  process.send?.({ type: 'ready' })
  return {
    /** to be called when a job starts */
    started() {
      startedAt ??= performance.now()
    },
    /** to be called when a job is done and its result stored */
    ended() {
      if (--left === 0) done.resolve(performance.now())
    }
  }
}
