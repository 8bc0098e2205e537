import pg from 'pg'
import { PgBoss } from 'pg-boss'
import { makeResult, payload } from './job-result.ts'
import { serveRuns } from './serve-runs.ts'

/**
 * A pg-boss worker (its docs, Workers) that takes jobs in batches, without a pause while there is more, and stores a result
 * of each. With OUTPUTS the handler only returns the results, and pg-boss stores those of a batch in one statement.
 */

const queue = 'embeddings'
const batchSize = Number(process.env.CONCURRENCY)
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 })
const boss = new PgBoss(process.env.DATABASE_URL as string)
boss.on('error', console.error)
await boss.start()
await boss.createQueue(queue)
await pool.query('create table results (job_id uuid primary key, result jsonb not null)')

async function count(sql: string): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(sql)
  return rows[0]?.count ?? 0
}
const countCompleted = () => count(`select count(*)::int as count from pgboss.job where state = 'completed'`)
const countStored = process.env.OUTPUTS
  ? () => count('select count(*)::int as count from pgboss.job where output is not null')
  : () => count('select count(*)::int as count from results')

let taken = 0
const runs = serveRuns({
  async add(jobs) {
    const goal = (await countCompleted()) + jobs
    taken = 0
    await boss.insert(
      queue,
      Array.from({ length: jobs }, () => ({ data: payload }))
    )
    // It says nothing when a batch is completed: when all have been taken, the table is asked.
    while (taken < jobs) await new Promise((resolve) => setTimeout(resolve, 5))
    while ((await countCompleted()) < goal) await new Promise((resolve) => setTimeout(resolve, 5))
    for (let n = 0; n < jobs; n++) runs.ended()
  },
  countStored
})
const options = { batchSize, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 }

function take(jobs: unknown[]): void {
  runs.started()
  taken += jobs.length
}

if (process.env.OUTPUTS) {
  await boss.work(queue, { ...options, perJobResults: true }, async (jobs) => {
    take(jobs)
    return jobs.map(({ id }) => ({ id, status: 'completed' as const, output: makeResult() }))
  })
} else {
  await boss.work(queue, options, async (jobs) => {
    take(jobs)
    const sql = 'insert into results (job_id, result) values ($1, $2)'
    await Promise.all(jobs.map(({ id }) => pool.query(sql, [id, JSON.stringify(makeResult())])))
  })
}
