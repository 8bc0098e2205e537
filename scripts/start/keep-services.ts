import type { Services } from '../services/index.ts'

/**
 * Looks once a second whether the private services still run and starts again what died, waiting longer after each
 * failure (up to 30 s). Resolves, when stopped, once no start is under way.
 */
export function keepServices(services: Pick<Services, 'revive'>, say: (text: string) => void): () => Promise<void> {
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  let failures = 0
  let round: Promise<void> = Promise.resolve()

  async function look(): Promise<void> {
    try {
      const names = await services.revive()
      for (const name of names) say(`${name} had died and was started again`)
      failures = 0
    } catch (error) {
      failures += 1
      say(`A service died and could not be started again: ${(error as Error).message}`)
    }
    plan()
  }

  function plan(): void {
    if (stopped) return
    timer = setTimeout(
      () => {
        round = look()
      },
      Math.min(30_000, 1_000 * 2 ** failures)
    )
  }

  plan()
  return async () => {
    stopped = true
    clearTimeout(timer)
    await round
  }
}
