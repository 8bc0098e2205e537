import express from 'express'
import { listen } from './listen.ts'

/** Express's hello world (expressjs.com). */

const app = express()
app.get('/', (_req, res) => {
  res.send('Hello World!')
})
await listen(app)
