import { addressGroup } from '../gate/address.ts'
import type { SuspiciousCode, Thresholds } from '../schemas/suspicious.ts'
import type { Figures } from '../store/audit/statistics.ts'
import { dayMs, hourMs, minuteMs, type Range } from '../time/time-ranges.ts'
import type { SuspiciousStore } from '../store/audit/suspicious.ts'
import { findSharedAddresses } from './shared-addresses.ts'

/** `observed` reached `threshold`; for a share and a spike it is above it. Shares are parts of one, costs in USD. */
export type Finding = {
  userId: string
  code: SuspiciousCode
  observed: number
  threshold: number
  /** of a spike: the UTC day it is about */
  day?: Date
}

export type Rule = {
  /** the time that a single finding is about */
  windowMs: number
  /** Looks at what lies in the range, and nowhere else (but for a spike's days). */
  find(range: Range): Promise<Finding[]>
}

const daysOfMean = 7

/**
 * The rules of suspicious activity over audits and failed logins. Windows slide: a burst counts wherever it began.
 * The share of refused requests is that of the whole range; spikes are of the UTC days that overlap it.
 */
export function createSuspicionRules({
  store,
  figures,
  thresholds
}: {
  store: SuspiciousStore
  figures: Figures
  thresholds: Thresholds
}): Rule[] {
  const bursts = async (
    code: SuspiciousCode,
    find: (range: Range, least: number) => Promise<{ userId: string; most: number }[]>,
    range: Range
  ): Promise<Finding[]> => {
    const threshold = thresholds[code]
    return (await find(range, threshold)).map(({ userId, most }) => ({ userId, code, observed: most, threshold }))
  }

  return [
    {
      windowMs: hourMs,
      async find(range) {
        const { blocked_share: threshold, blocked_share_requests: requests } = thresholds
        const found = await figures.oftenBlocked(range, { requests, share: threshold })
        return found.map(({ userId, share }) => ({ userId, code: 'blocked_share', observed: share, threshold }))
      }
    },
    { windowMs: minuteMs, find: (range) => bursts('blocked_burst', store.blockedBursts, range) },
    { windowMs: 10 * minuteMs, find: (range) => bursts('failed_logins', store.failedLogins, range) },
    {
      windowMs: hourMs,
      async find(range) {
        const findings: Finding[] = []
        // A day at a time, with the hour before it, so that a long range needs no more memory than a short one.
        const extent = await store.extent(range)
        for (let start = extent?.from.getTime() ?? 0; extent && start < extent.to.getTime(); start += dayMs) {
          const from = Math.max(extent.from.getTime(), start - hourMs)
          const to = Math.min(extent.to.getTime(), start + dayMs)
          findings.push(...(await crowds({ from: new Date(from), to: new Date(to) })))
        }
        return findings
      }
    },
    {
      windowMs: 10 * minuteMs,
      async find(range) {
        const { token_spike: tokens, cost_spike: costUsd } = thresholds
        const days = await store.largeDays(range, { tokens, costUsd })
        return days.flatMap(({ userId, day, ...used }) => [
          ...spike({ userId, day, code: 'token_spike', observed: used.tokens }, tokens, used.tokensOfWeekBefore),
          ...spike({ userId, day, code: 'cost_spike', observed: used.costUsd }, costUsd, used.costUsdOfWeekBefore)
        ])
      }
    }
  ]

  async function crowds(range: Range): Promise<Finding[]> {
    const { many_addresses: many, shared_address: shared } = thresholds
    const visits = await store.visits(range, { addresses: many, users: shared })
    const presences = visits.map(({ userId, ip, first, last }) => {
      return { user: userId, address: addressGroup(ip), first: first.getTime(), last: last.getTime() }
    })
    const byUser = presences.map(({ user, address, ...times }) => ({ place: user, who: address, ...times }))
    const byAddress = presences.map(({ user, address, ...times }) => ({ place: address, who: user, ...times }))
    return [
      ...findSharedAddresses(byUser, hourMs, many).map(
        ({ place, most }): Finding => ({ userId: place, code: 'many_addresses', observed: most, threshold: many })
      ),
      ...findSharedAddresses(byAddress, hourMs, shared).flatMap(({ most, members }) =>
        [...members].map((userId): Finding => ({ userId, code: 'shared_address', observed: most, threshold: shared }))
      )
    ]
  }

  /** Whoever used nothing before that day has no mean to be compared with. */
  function spike(found: Omit<Finding, 'threshold'>, least: number, weekBefore: number | null): Finding[] {
    if (weekBefore === null) return []
    const usual = (thresholds.spike_factor * weekBefore) / daysOfMean
    if (found.observed < least || found.observed <= usual) return []
    return [{ ...found, threshold: Math.max(least, usual) }]
  }
}
