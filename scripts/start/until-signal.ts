/**
 * Resolves with the name of the first SIGINT, SIGTERM or SIGHUP. Each one after it calls `again`; they keep being caught
 * until the process ends, so that an impatient second Ctrl-C is answered by us.
 */
export function untilSignal(again: () => void): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let first = true
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(name, () => {
        if (!first) again()
        first = false
        resolve(name)
      })
    }
  })
}
