import { createPostgresBackend, runMigrations, withBackend } from 'bullmq'
import pg from 'pg'
import { makeResult, payload } from './job-result.ts'
import { serveRuns } from './serve-runs.ts'

/** A BullMQ worker on BullMQ's PostgreSQL backend (docs.bullmq.io, PostgreSQL backend), which stores what it returns. */

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 1 })
const client = await pool.connect()
await runMigrations(client)
client.release()

const { Queue, Worker } = withBackend(createPostgresBackend)
const concurrency = Number(process.env.CONCURRENCY)
const options = { connection: { connectionString: process.env.DATABASE_URL as string, max: concurrency } }
const queue = new Queue<typeof payload, ReturnType<typeof makeResult>>('embeddings', options)
const worker = new Worker<typeof payload, ReturnType<typeof makeResult>>(
  'embeddings',
  async () => {
    runs.started()
    return makeResult()
  },
  { ...options, concurrency }
)
const runs = serveRuns({
  add: (jobs) => queue.addBulk(Array.from({ length: jobs }, () => ({ name: 'embedding', data: payload }))),
  countStored: () => queue.getCompletedCount()
})
worker.on('completed', () => runs.ended())
worker.on('error', console.error)
