import { setTimeout as delay } from 'node:timers/promises'
import { Queue } from 'bullmq'
import { queuePrefix } from '../../lib/queues/queues.ts'
import { withPostgres } from '../../scripts/services/postgres-client.ts'
import type { Closers } from '../../scripts/start/closers.ts'
import type { RunAnswer } from '../baselines/serve-runs.ts'
import type { Person } from './people.ts'
import type { Stage } from './stage.ts'

const action = 'embedding_generation'
const clients = 32

/**
 * Runs of embedding jobs on the platform: they are submitted through the API to a paused queue, which is then resumed. The
 * time is from that to the last job's end, as its row has it.
 * @param textOf what job n embeds
 */
export function createPlatformRuns({
  stage: { databaseUrl, redisUrl },
  closers,
  apiUrl,
  people,
  textOf
}: {
  stage: Pick<Stage, 'databaseUrl' | 'redisUrl'>
  closers: Closers
  apiUrl: string
  people: Person[]
  textOf: (n: number) => string
}): (jobs: number) => Promise<RunAnswer> {
  const queue = new Queue(action, { connection: { url: redisUrl }, prefix: queuePrefix('goals') })
  closers.add(() => queue.close())
  let number = 0

  async function submit(jobs: number): Promise<string[]> {
    const ids: string[] = []
    let left = jobs
    const client = async () => {
      while (left-- > 0) {
        const n = number++
        const { authorization } = people[n % people.length] as Person
        const response = await fetch(`${apiUrl}/api/v1/embeddings`, {
          method: 'POST',
          headers: { authorization, 'content-type': 'application/json' },
          body: JSON.stringify({ input: textOf(n) })
        })
        if (response.status !== 202) throw new Error(`a submission was answered ${response.status}`)
        ids.push(((await response.json()) as { id: string }).id)
      }
    }
    await Promise.all(Array.from({ length: clients }, client))
    return ids
  }

  return async (jobs) => {
    await queue.pause()
    const ids = await submit(jobs)
    await delay(500) // the line has given them their places
    return await withPostgres(databaseUrl, async (client) => {
      const { rows: begin } = await client.query<{ at: Date }>('select clock_timestamp() as at')
      await queue.resume()
      const open = async () => {
        const { rows } = await client.query(
          `select 1 from jobs where status in ('queued', 'active') and action = $1 limit 1`,
          [action]
        )
        return rows.length > 0
      }
      while (await open()) await delay(50)
      const { rows } = await client.query<{ stored: number; seconds: number }>(
        `select count(*)::int as stored, extract(epoch from max(finished_at) - $2)::float8 as seconds
         from jobs where id = any ($1) and status = 'completed' and result is not null`,
        [ids, begin[0]?.at]
      )
      return rows[0] as RunAnswer
    })
  }
}
