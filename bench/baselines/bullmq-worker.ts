import { Worker } from 'bullmq'

/** BullMQ's hello worker (docs.bullmq.io, Quick Start). */

const worker = new Worker('hello', async ({ data }) => ({ hello: data }), {
  connection: { url: process.env.REDIS_URL as string }
})
worker.on('error', console.error)
await worker.waitUntilReady()
process.on('disconnect', () => process.exit())
process.on('SIGTERM', () => process.exit())
process.send?.({ type: 'ready' })
