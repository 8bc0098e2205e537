import express from 'express'
import { makeWorkerUtils } from 'graphile-worker'
import { listen } from './listen.ts'

/** An Express app that queues with graphile-worker (its docs, Library: queueing jobs): each job is a committed row. */

const utils = await makeWorkerUtils({ connectionString: process.env.DATABASE_URL as string })
await utils.migrate()

const app = express()
app.use(express.json())
app.post('/embeddings', async (req, res) => {
  const job = await utils.addJob('embedding', req.body)
  res.status(202).json({ id: job.id, status: 'queued' })
})
await listen(app)
