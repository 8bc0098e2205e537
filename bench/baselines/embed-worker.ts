import { Queue, Worker } from 'bullmq'
import OpenAI from 'openai'
import { payload } from './job-result.ts'
import { serveRuns } from './serve-runs.ts'

/** A BullMQ worker (docs.bullmq.io, Workers) whose jobs each ask the provider for one embedding, which BullMQ stores. */

const connection = { url: process.env.REDIS_URL as string }
const name = `embed-${process.pid}`
const openai = new OpenAI({ baseURL: process.env.OPENAI_BASE_URL as string, apiKey: 'bench' })
const queue = new Queue<typeof payload>(name, { connection })
let completed = 0
const worker = new Worker<typeof payload>(
  name,
  async ({ data }) => {
    runs.started()
    const { data: vectors } = await openai.embeddings.create({ model: 'offline-embedding-small', input: data.input })
    if (vectors[0]?.embedding.length !== 1_536) throw new Error('this is no embedding')
    return vectors[0].embedding
  },
  { connection, concurrency: Number(process.env.CONCURRENCY), removeOnComplete: { count: 1_000 } }
)
const runs = serveRuns({
  add: (jobs) => queue.addBulk(Array.from({ length: jobs }, () => ({ name: 'embedding', data: payload }))),
  countStored: async () => completed
})
worker.on('completed', () => {
  completed += 1
  runs.ended()
})
worker.on('failed', (_job, error) => console.error(error))
worker.on('error', console.error)
