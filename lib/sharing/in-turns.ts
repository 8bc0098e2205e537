import { setImmediate as nextTurn } from 'node:timers/promises'

/** So long work goes on before whoever shares the process gets a turn. */
const turnMs = 10

/**
 * Does work that is made of many small steps and may be long, without holding up the event loop.
 * @param steps yields after each step and returns the result
 * @throws the signal's reason when it aborts in between
 */
export async function inTurns<T>(steps: Generator<unknown, T>, signal?: AbortSignal): Promise<T> {
  let turnBegan = performance.now()
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
    if (performance.now() - turnBegan < turnMs) continue
    await nextTurn()
    signal?.throwIfAborted()
    turnBegan = performance.now()
  }
}
