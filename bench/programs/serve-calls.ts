/** What a bench asks: how often something can be done in so many seconds, by so many callers at once. */
export type CallsOrder = { callers: number; seconds: number }
export type CallsAnswer = { calls: number; seconds: number }

/**
 * Tells the bench that this program is ready, and serves its orders: each caller calls again as soon as it is answered.
 * @param call caller n's; throws when what came back is not as it should be
 * @param check is called after each order with how many calls it made
 */
export function serveCalls(call: (caller: number) => Promise<void>, check?: (calls: number) => Promise<void>): void {
  async function serve({ callers, seconds }: CallsOrder): Promise<CallsAnswer> {
    const from = performance.now()
    const until = from + seconds * 1_000
    let calls = 0
    const caller = async (_: unknown, n: number) => {
      while (performance.now() < until) {
        await call(n)
        calls += 1
      }
    }
    await Promise.all(Array.from({ length: callers }, caller))
    const took = (performance.now() - from) / 1_000
    await check?.(calls)
    return { calls, seconds: took }
  }
  process.on('message', (order: CallsOrder) => {
    serve(order).then(
      (answer) => process.send?.(answer),
      (error: unknown) => process.send?.({ error: String(error) })
    )
  })
  process.on('disconnect', () => process.exit())
  process.send?.({ type: 'ready' })
}
