import type { BaseCheckpointSaver } from '@langchain/langgraph'
import type { Knex } from 'knex'
import pg from 'pg'
import type { Logger } from '../../lib/logger.ts'
import { createCheckpointStore } from '../../lib/store/jobs/checkpoints.ts'
import { createTrust } from '../../lib/store/read-only.ts'

export type Checkpoints = {
  /** Opened, with its tables made, when it is first asked for. */
  saver(): Promise<BaseCheckpointSaver>
  /** Drops what a run that has ended kept, and a little of what others left behind. Never fails. */
  forget(jobId: string): Promise<void>
  close(): Promise<void>
}

const sweptAtOnce = 20

/**
 * Keeps the steps of running jobs in PostgreSQL, in our schema. The checkpointer has connections of its own, because it
 * writes between steps and never inside of a transaction of ours.
 */
export function createCheckpoints({
  databaseUrl,
  schema,
  knex,
  log
}: {
  databaseUrl: string
  schema: string
  knex: Knex
  log: Logger
}): Checkpoints {
  const store = createCheckpointStore({ knex, schema })
  const dropping = new Set<Promise<void>>()
  let opened: ReturnType<typeof open> | undefined

  async function open() {
    const { PostgresSaver } = await import('@langchain/langgraph-checkpoint-postgres')
    const pool = new pg.Pool({
      connectionString: databaseUrl,
      application_name: 'goals-checkpoints',
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
      // Few and small statements; one that hangs must not keep a connection from everybody else's chats.
      statement_timeout: 30_000,
      max: 4
    })
    // It has no question before it lends one: what led to a server that is read-only by now is closed when it comes back.
    const trust = createTrust()
    pool.on('connect', trust.watch)
    pool.on('release', (_error, client) => {
      if (!trust.holds(client)) void client.end()
    })
    pool.on('error', (error: Error) => log.warn({ err: error }, 'an idle checkpoint connection was lost'))
    const saver = new PostgresSaver(pool, undefined, { schema })
    try {
      await setUp(pool, schema, () => saver.setup())
    } catch (error) {
      await pool.end()
      throw error
    }
    return { pool, saver }
  }

  const current = () => {
    opened ??= open().catch((error: unknown) => {
      opened = undefined // the database may be back when the next run asks
      throw error
    })
    return opened
  }

  return {
    saver: async () => (await current()).saver,

    forget(jobId) {
      const done = drop(jobId).finally(() => dropping.delete(done))
      dropping.add(done)
      return done
    },

    async close() {
      await Promise.all(dropping)
      const last = opened
      opened = undefined
      // One that never opened has nothing to close.
      const open = await last?.catch(() => undefined)
      await open?.pool.end()
    }
  }

  async function drop(jobId: string): Promise<void> {
    try {
      const { saver } = await current()
      await saver.deleteThread(jobId)
      await store.dropEnded(sweptAtOnce)
    } catch (error) {
      log.warn({ err: error }, 'checkpoints could not be dropped, a later run will do it')
    }
  }
}

/** Two processes that make the same tables at the same moment get in each other's way: one after the other. */
async function setUp(pool: pg.Pool, schema: string, make: () => Promise<void>): Promise<void> {
  const client = await pool.connect()
  const key = `langgraph checkpoints ${schema}`
  try {
    await client.query('select pg_advisory_lock(hashtext($1))', [key])
    try {
      await make()
    } finally {
      await client.query('select pg_advisory_unlock(hashtext($1))', [key])
    }
  } finally {
    client.release()
  }
}
