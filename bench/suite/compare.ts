import { figure, median } from './statistics.ts'

/** One of the programs that are compared. */
export type Side = {
  name: string
  /**
   * Measures once, and checks what was measured.
   * @returns the figure, in the unit of the comparison
   * @throws Error when an answer was wrong: there is no figure then
   */
  turn(): Promise<number>
}

export type Comparison = {
  title: string
  unit: string
  better: 'more' | 'less'
  ours: Side
  others: Side[]
  /** shown, but not what ours is held against */
  besides?: Side[]
  /** what ours must be of the best of the others: at least where more is better, else at most */
  mustReach: number
  aim: number
}

export type Measured = { name: string; values: number[]; median: number; least: number; most: number }

export type Result = {
  title: string
  unit: string
  better: 'more' | 'less'
  ours: Measured
  others: Measured[]
  besides: Measured[]
  /** the other that ours is held against */
  best: string
  /** of each round: ours to the best of the others */
  ratios: number[]
  /** their median */
  ratio: number
  mustReach: number
  aim: number
  reached: boolean
}

/**
 * Lets the sides take turns: one turn each that is not counted, then so many rounds, every other one in reverse order, so
 * that a machine that gets slower or faster meanwhile does so for both.
 */
export async function compare(
  { ours, others, besides = [], ...about }: Comparison,
  { rounds, say }: { rounds: number; say: (line: string) => void }
): Promise<Result> {
  const sides = [ours, ...others, ...besides]
  const values = new Map<Side, number[]>(sides.map((side) => [side, []]))
  say(about.title)
  for (let round = 0; round <= rounds; round++) {
    const taken = new Map<Side, number>()
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      const value = await side.turn()
      taken.set(side, value)
      if (round > 0) values.get(side)?.push(value)
    }
    const figures = sides.map((side) => `${side.name} ${figure(taken.get(side) as number)}`)
    say(`  ${round === 0 ? 'warm-up' : `round ${round} of ${rounds}`}: ${figures.join(', ')} ${about.unit}`)
  }
  const measured = (side: Side) => measuredOf(side.name, values.get(side) as number[])
  return resultOf(about, { ours: measured(ours), others: others.map(measured), besides: besides.map(measured) })
}

/** What one side's figures of all rounds come to. */
export function measuredOf(name: string, values: number[]): Measured {
  return { name, values, median: median(values), least: Math.min(...values), most: Math.max(...values) }
}

/** Holds ours against the best of the others, round by round. */
export function resultOf(
  about: Omit<Comparison, 'ours' | 'others' | 'besides'>,
  { ours, others, besides }: { ours: Measured; others: Measured[]; besides: Measured[] }
): Result {
  const isMore = about.better === 'more'
  const best = others.reduce((a, b) => (isMore === b.median > a.median ? b : a))
  const ratios = ours.values.map((value, round) => value / (best.values[round] as number))
  const ratio = median(ratios)
  const reached = isMore ? ratio >= about.mustReach : ratio <= about.mustReach
  return { ...about, ours, others, besides, best: best.name, ratios, ratio, reached }
}
