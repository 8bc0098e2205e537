import { setTimeout as delay } from 'node:timers/promises'
import type { Stage } from './stage.ts'

export const longestRepairMs = 60_000

/** Until every job that is due is in its queue again. */
export async function untilQueued(stage: Stage): Promise<number> {
  const from = performance.now()
  while (performance.now() - from < longestRepairMs) {
    const due = await stage
      .knex('jobs')
      .where({ status: 'queued' })
      .where('run_at', '<', stage.knex.raw(`now() - interval '1 second'`))
      .select('id', 'action')
      .limit(200)
      .catch(() => undefined)
    if (due) {
      const known = await Promise.all(due.map(({ id, action }) => stage.redis.exists(`{goals}:${action}:${id}`)))
      if (known.every((there) => there === 1)) return performance.now() - from
    }
    await delay(100)
  }
  return longestRepairMs
}
