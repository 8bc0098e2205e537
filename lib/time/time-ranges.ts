/** From `from` on, up to `to` and without it. */
export type Range = { from: Date; to: Date }

export const minuteMs = 60_000
export const hourMs = 60 * minuteMs
export const dayMs = 24 * hourMs

/**
 * Cuts a range into whole units, the largest that fit, so that each part can be read from the roll-up of its unit.
 * @param unitsMs lengths in milliseconds, the longest first, each a multiple of the next; counted from 1970 in UTC
 * @returns for each unit the ranges made of it, and in the end what is smaller than any
 */
export function cutRange(range: Range, unitsMs: number[]): { units: Range[][]; rest: Range[] } {
  let rest = range.from < range.to ? [range] : []
  const units = unitsMs.map((ms) => {
    const whole: Range[] = []
    rest = rest.flatMap((part) => {
      const inner = wholeUnits(part, ms)
      if (!inner) return [part]
      whole.push(inner)
      return [
        { from: part.from, to: inner.from },
        { from: inner.to, to: part.to }
      ].filter(({ from, to }) => from < to)
    })
    return whole
  })
  return { units, rest }
}

/** The whole units within a range, or `undefined` when it holds none. */
export function wholeUnits({ from, to }: Range, ms: number): Range | undefined {
  const first = Math.ceil(from.getTime() / ms) * ms
  const end = Math.floor(to.getTime() / ms) * ms
  return first < end ? { from: new Date(first), to: new Date(end) } : undefined
}
