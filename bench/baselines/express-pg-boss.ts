import express from 'express'
import { PgBoss } from 'pg-boss'
import { listen } from './listen.ts'

/** An Express app that queues with pg-boss (its README): each job is a committed row. */

const boss = new PgBoss(process.env.DATABASE_URL as string)
boss.on('error', console.error)
await boss.start()
await boss.createQueue('embeddings')

const app = express()
app.use(express.json())
app.post('/embeddings', async (req, res) => {
  const id = await boss.send('embeddings', req.body)
  res.status(202).json({ id, status: 'queued' })
})
await listen(app)
