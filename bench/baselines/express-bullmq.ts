import { Queue } from 'bullmq'
import express from 'express'
import { listen } from './listen.ts'

/** The thinnest Express app that queues with BullMQ (docs.bullmq.io, Quick Start). */

const queue = new Queue('embeddings', { connection: { url: process.env.REDIS_URL as string } })

const app = express()
app.use(express.json())
app.post('/embeddings', async (req, res) => {
  const job = await queue.add('embedding', req.body)
  res.status(202).json({ id: job.id, status: 'queued' })
})
await listen(app)
