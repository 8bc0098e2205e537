import type { Stage } from './stage.ts'

/** Something that did not hold, in words for the table. */
export type Finding = string

export type Scale = {
  /** 1 for the whole attack; less in the short form: multiplies how often things are done */
  share: number
  random: () => number
}

/** One way to stop others, or to see or do what is not one's own. Bounded in count and time. */
export type Attack = {
  name: string
  /** one line for `--help` */
  about: string
  /**
   * Makes what takes long to make, and lets its people come, before anybody's wait is measured: registering is work
   * that everybody is allowed, each at an address of their own.
   */
  prepare?(stage: Stage, scale: Scale): Promise<unknown>
  /**
   * Carries it out.
   * @param prepared what `prepare` made
   * @returns what did not hold, apart from the wait of others, memory and wrong answers, which are watched beside it
   */
  run(stage: Stage, scale: Scale, prepared: unknown): Promise<Finding[]>
}

export const times = ({ share }: Scale, whole: number): number => Math.max(1, Math.ceil(whole * share))

/** Does something many times, so many at once. */
export async function many<T>(count: number, atOnce: number, work: (n: number) => Promise<T>): Promise<T[]> {
  const results: T[] = []
  let next = 0
  await Promise.all(
    Array.from({ length: Math.min(count, atOnce) }, async () => {
      while (next < count) {
        const n = next++
        results[n] = await work(n)
      }
    })
  )
  return results
}

/** `undefined` when a condition holds, else the finding. */
export const unless = (holds: boolean, finding: Finding): Finding[] => (holds ? [] : [finding])
