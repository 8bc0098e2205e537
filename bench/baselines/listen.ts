import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Express } from 'express'

/** Listens on a free port of 127.0.0.1, and tells the bench that started this program where. */
export async function listen(app: Express): Promise<void> {
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  process.send?.({ type: 'ready', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
}

// No program outlives the bench.
process.on('disconnect', () => process.exit())
process.on('SIGTERM', () => process.exit())
