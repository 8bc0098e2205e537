import { Logger, makeWorkerUtils, run } from 'graphile-worker'
import pg from 'pg'
import { makeResult, payload } from './job-result.ts'
import { serveRuns } from './serve-runs.ts'

/**
 * A graphile-worker whose task stores a result (its docs, Library: running jobs). With BATCHING its local queue and the
 * batched completion are on, as the page Performance recommends for much work.
 */

const concurrency = Number(process.env.CONCURRENCY)
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 })
await pool.query('create table results (job_id bigint primary key, result jsonb not null)')

const runner = await run({
  logger: new Logger(() => () => undefined),
  taskList: {
    async embedding(_payload, { job, query }) {
      runs.started()
      await query('insert into results (job_id, result) values ($1, $2)', [job.id, JSON.stringify(makeResult())])
    }
  },
  preset: {
    worker: {
      connectionString: process.env.DATABASE_URL as string,
      concurrentJobs: concurrency,
      maxPoolSize: concurrency + 1,
      ...(process.env.BATCHING ? { localQueue: { size: concurrency + 1 }, completeJobBatchDelay: 0 } : {})
    }
  }
})
const utils = await makeWorkerUtils({ connectionString: process.env.DATABASE_URL as string })
const runs = serveRuns({
  add: (jobs) => utils.addJobs(Array.from({ length: jobs }, () => ({ identifier: 'embedding', payload }))),
  async countStored() {
    const { rows } = await pool.query<{ count: number }>('select count(*)::int as count from results')
    return rows[0]?.count ?? 0
  }
})
runner.events.on('job:complete', ({ error }) => {
  if (error) throw error
  runs.ended()
})
