/** The most that the work may grow by when a text becomes twice as long: 2 is linear, 4 is quadratic. */
export const mostGrowth = 2.6

/** One long text is compared with so many of its length divided by as much: four doublings apart. */
const parts = 16
/** Work that takes less is too short to be measured. */
const leastMs = 1
const smallest = 2_048
/** A text of this length that takes less than `leastMs` is walked fast enough, whatever the growth. */
const largest = 131_072
const tries = 6
/** A text that takes longer is not made longer to look again. */
const longestMs = 500
/** So many characters in so many milliseconds are walked fast enough, whatever the growth. */
const plenty = { chars: 524_288, ms: 100 }

export type Growth = {
  /** by how much the time grew with each doubling, on the average of four; 2 when there was too little to measure */
  factor: number
  chars: number
  /** what the text of `chars` characters took */
  ms: number
}

type Run = (text: string) => unknown

/**
 * How the work on a text grows with its length. The time of one long text is compared with that of sixteen short ones,
 * which is the same when the work is linear: both take equally long, so both suffer alike from a busy machine. Each
 * counts with its fastest run, since others make a run slower and never faster, and what looks too steep is measured
 * again, then with longer texts.
 */
export async function growthOf(run: Run, make: (chars: number) => string): Promise<Growth> {
  // The runner hears of what has passed only between turns of the event loop, and takes silence for a test that hangs.
  await new Promise((resolve) => setImmediate(resolve))
  let chars = smallest
  let growth = await growthAt(run, make, chars)
  for (; chars < largest && growth.ms < leastMs; growth = await growthAt(run, make, chars)) chars *= 4
  // What is steep stays steep when the text grows; what was a threshold, a cache or a collection of garbage does not.
  for (let again = 0; again < 3 && growth.factor >= mostGrowth && growth.ms < longestMs; again++) {
    chars *= 4
    const next = await growthAt(run, make, chars)
    if (next.factor < growth.factor) growth = next
  }
  return growth
}

async function growthAt(run: Run, make: (chars: number) => string, chars: number): Promise<Growth> {
  const [longText, shortText] = [make(chars), make(chars / parts)]
  let [long, short, factor] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let attempt = 0; attempt < tries && factor >= mostGrowth; attempt++) {
    long = Math.min(long, await timeOf(run, longText, 1))
    if (long < leastMs || (chars >= plenty.chars && long < plenty.ms)) return { factor: 2, chars, ms: long }
    short = Math.min(short, await timeOf(run, shortText, parts))
    factor = ((long / short) * parts) ** (1 / Math.log2(parts))
  }
  return { factor, chars, ms: long }
}

async function timeOf(run: Run, text: string, times: number): Promise<number> {
  const processor = process.threadCpuUsage()
  const before = performance.now()
  for (let at = 0; at < times; at++) {
    const made = run(text)
    if (made instanceof Promise) await made
  }
  const wallMs = performance.now() - before
  const { user, system } = process.threadCpuUsage(processor)
  const processorMs = (user + system) / 1_000
  // The kernel counts a thread's time in steps of a few milliseconds.
  return processorMs > 20 ? Math.min(wallMs, processorMs) : wallMs
}
