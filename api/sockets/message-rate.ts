/** Counts messages in the last second. @returns a function that tells whether one more, now, is within the limit */
export function createMessageRate(perSecond: number): (nowMs: number) => boolean {
  const times: number[] = []
  return (nowMs) => {
    times.push(nowMs)
    while ((times[0] as number) <= nowMs - 1_000) times.shift()
    return times.length <= perSecond
  }
}
