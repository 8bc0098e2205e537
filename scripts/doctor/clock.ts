import type { Findings } from './findings.ts'

/** Money is booked by the database's day and limits are counted by Redis's clock: seconds are nothing, minutes are. */
const mostMs = 5_000

/** Compares a service's clock with this machine's, in the middle of the question. */
export function compareClocks(findings: Findings, service: string, theirs: number, askedAt: number, now: number): void {
  const differenceMs = Math.round(theirs - (askedAt + now) / 2)
  const found = `${Math.abs(differenceMs)} ms ${differenceMs < 0 ? 'behind' : 'ahead of'} this machine`
  if (Math.abs(differenceMs) <= mostMs) findings.ok('clock', found)
  else findings.todo('clock', found, `Set the clocks of this machine and of ${service} by NTP.`)
}
