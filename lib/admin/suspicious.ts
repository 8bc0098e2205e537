import type { Range } from '../time/time-ranges.ts'
import type { Finding, Rule } from './suspicion-rules.ts'

export type Suspect = { userId: string; score: number; reasons: Pick<Finding, 'code' | 'observed' | 'threshold'>[] }

/**
 * How suspicious a user is, from 0 to below 100. Each reason leaves 1 / (1 + observed / threshold) of what was missing
 * to 100, so that one that just meets its threshold makes 50 and two make 75, and the score grows with every further
 * reason and with every number observed.
 */
export function suspicionScore(reasons: Pick<Finding, 'observed' | 'threshold'>[]): number {
  const missing = reasons.reduce((left, { observed, threshold }) => left / (1 + observed / threshold), 1)
  return Math.round((1 - missing) * 10_000) / 100
}

/**
 * Everybody about whom a rule found something in the range of time, the most suspicious first; of several findings by
 * one rule the strongest.
 */
export async function findSuspects(rules: Rule[], range: Range): Promise<Suspect[]> {
  const strongest = new Map<string, Finding>()
  for (const rule of rules) {
    for (const finding of await rule.find(range)) {
      const key = `${finding.userId} ${finding.code}`
      const known = strongest.get(key)
      if (!known || ratio(finding) > ratio(known)) strongest.set(key, finding)
    }
  }
  return Array.from(
    Map.groupBy(strongest.values(), ({ userId }) => userId),
    ([userId, findings]): Suspect => ({
      userId,
      score: suspicionScore(findings),
      reasons: findings
        .map(({ code, observed, threshold }) => ({ code, observed, threshold }))
        .toSorted((a, b) => ratio(b) - ratio(a))
    })
  ).toSorted((a, b) => b.score - a.score || (a.userId < b.userId ? -1 : 1))
}

const ratio = ({ observed, threshold }: Pick<Finding, 'observed' | 'threshold'>) => observed / threshold
