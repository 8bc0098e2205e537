import { workerData } from 'node:worker_threads'
import pg from 'pg'
import { heartbeatSql } from '../lib/store/operations/heartbeat-sql.ts'

/** What the thread is started with. `ticks` is counted up by the main thread as long as it takes turns. */
export type HeartbeatData = {
  databaseUrl: string
  schema: string
  worker: string
  queues: readonly string[]
  ticks: SharedArrayBuffer
  everyMs: number
  /** a main thread that has not taken a turn for so long hangs, and its jobs are better given to another */
  hangsAfterMs: number
}

const { databaseUrl, schema, worker, queues, ticks, everyMs, hangsAfterMs } = workerData as HeartbeatData
const counter = new Int32Array(ticks)

let client: pg.Client | undefined
let lastTick = -1
let tickedAt = 0

async function connect(): Promise<pg.Client> {
  const fresh = new pg.Client({
    connectionString: databaseUrl,
    application_name: 'goals-heartbeat',
    connectionTimeoutMillis: 2_000,
    query_timeout: 2_000,
    options: `-c search_path=${schema}`
  })
  fresh.on('error', () => {
    client = undefined // the next beat connects again
  })
  await fresh.connect()
  return fresh
}

async function beat(): Promise<void> {
  const tick = Atomics.load(counter, 0)
  const now = performance.now()
  if (tick !== lastTick) [lastTick, tickedAt] = [tick, now]
  if (now - tickedAt > hangsAfterMs) return
  try {
    client ??= await connect()
    await client.query(heartbeatSql, [worker, queues])
  } catch {
    await client?.end().catch(() => undefined) // it was broken anyway
    client = undefined
  }
}

async function run(): Promise<never> {
  for (;;) {
    const from = performance.now()
    await beat()
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, everyMs - (performance.now() - from))))
  }
}

await run()
