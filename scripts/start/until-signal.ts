/**
 * Resolves with the name of the first SIGINT, SIGTERM or SIGHUP. Each later one calls `again`; they keep being caught
 * until the process ends, so that an impatient second Ctrl-C is answered by us. What comes within half a second of the
 * first is the same Ctrl-C: npm hands on a SIGINT that the terminal has sent to everyone already.
 */
export function untilSignal(again: () => void): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const awake = setInterval(() => undefined, 2 ** 30) // waiting for a signal alone keeps no process alive
    let firstAt: number | undefined
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(name, () => {
        const now = performance.now()
        if (firstAt !== undefined && now - firstAt > 500) again()
        firstAt ??= now
        clearInterval(awake)
        resolve(name)
      })
    }
  })
}
