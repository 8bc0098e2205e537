import express from 'express'
import knex from 'knex'
import { listen } from './listen.ts'

/** An Express app that answers with the rows of one Knex query (expressjs.com, knexjs.org): it asks nobody who they are. */

const db = knex({ client: 'pg', connection: process.env.DATABASE_URL as string })

const app = express()
app.get('/users/:id/goals', async (req, res) => {
  res.json({ items: await db('goals').where({ user_id: req.params.id }).orderBy('id', 'desc').limit(25) })
})
app.get('/jobs/:id', async (req, res) => {
  res.json(await db('jobs').where({ id: req.params.id }).first())
})
await listen(app)
