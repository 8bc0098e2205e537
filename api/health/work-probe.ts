import type { FailingWork } from '../../lib/store/operations/background-work.ts'
import type { RelayLag } from '../../lib/store/events/relay.ts'
import type { ProbeResult } from './health.ts'

/** News that is later than this is late: a relay that leads needs a fraction of a second. */
const lateSeconds = 15

/**
 * How the log gets out: `degraded` names the sinks that fail or are late, and why, and `placing` when committed events
 * wait for their position.
 */
export function relayResult({ unplaced, unplacedSeconds, sinks }: RelayLag): ProbeResult {
  const late = sinks.filter(({ failing, seconds }) => failing || seconds > lateSeconds).map(({ sink }) => sink)
  if (unplacedSeconds > lateSeconds) late.unshift('placing')
  return {
    state: late.length > 0 ? 'degraded' : 'ok',
    ...(late.length > 0 ? { late } : {}),
    unplaced,
    sinks: Object.fromEntries(sinks.map(({ sink, ...facts }) => [sink, facts]))
  }
}

/** How the work beside the jobs goes: `degraded` names what fails or hangs, and why. What was put aside is counted. */
export function backgroundResult(failing: FailingWork[], deadLetters: Record<string, number>): ProbeResult {
  return {
    state: failing.length > 0 ? 'degraded' : 'ok',
    ...(failing.length > 0 ? { failing } : {}),
    deadLetters
  }
}
