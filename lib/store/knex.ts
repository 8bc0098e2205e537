import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import knexFactory, { type Knex } from 'knex'
import type pg from 'pg'
import pgvector from 'pgvector/pg'
import type { Config } from '../config.ts'
import type { Logger } from '../logger.ts'
import { createTrust } from './read-only.ts'
import { shareConnections } from './share-connections.ts'

export type DatabaseSettings = {
  databaseUrl: string
  schema: string
  /** connections this process may hold */
  poolMax?: number
  applicationName?: string
  /** milliseconds that one statement may take; absent: any */
  statementMs?: number
  /** hears of lost connections; without it nobody does, and each query's caller still gets its failure */
  log?: Pick<Logger, 'debug'>
  /** for whom a statement is about to run: who waits for a connection is served in turn; without it, who came first */
  ownerOf?: () => string
}

const connectionsByDefault = 10
const longestAcquireMs = 10_000

/**
 * Our transactions never wait for anything but the database. One whose process says nothing for this long is frozen or
 * cut off; PostgreSQL ends it, so that whoever takes its work over does not wait for its locks.
 */
const idleInTransactionMs = 3_000

/**
 * Milliseconds for what is asked again and again, by `.timeout()`: a connection that was lost silently must not hold up
 * whoever asks. Knex throws such a connection away.
 */
export const lookMs = 5_000

/**
 * Settings of a Knex instance whose unqualified names mean our schema; `public` follows for the vector type.
 * Times come back as `Date`, 64-bit integers as strings (money is parsed to `bigint` by the stores).
 */
export function knexSettings({
  databaseUrl,
  schema,
  poolMax = connectionsByDefault,
  applicationName = 'goals',
  statementMs,
  log
}: DatabaseSettings): Knex.Config {
  const trust = createTrust()
  return {
    client: 'pg',
    connection: {
      connectionString: databaseUrl,
      application_name: applicationName,
      // A database that accepts the connection and then says nothing must not hold a request for ever.
      connectionTimeoutMillis: 5_000,
      // Of a connection that nobody answers on, the system says so within a quarter of a minute instead of two hours.
      keepAlive: true,
      keepAliveInitialDelayMillis: 5_000,
      ...(statementMs === undefined ? {} : { statement_timeout: statementMs }),
      idle_in_transaction_session_timeout: idleInTransactionMs
    },
    log: knexLog(log),
    searchPath: schema === 'public' ? ['public'] : [schema, 'public'],
    pool: {
      min: 0,
      max: poolMax,
      acquireTimeoutMillis: longestAcquireMs,
      validate: trust.holds,
      // Without the registered type vectors come back as strings (pgvector-node's README); before the first migration
      // there is no vector type yet, and nothing that would need it.
      afterCreate: (connection: pg.Client, done: (error: unknown, connection: pg.Client) => void) => {
        trust.watch(connection)
        if (statementMs !== undefined) endWhenSilent(connection, statementMs * 1.1)
        const finish = () => setImmediate(done, null, connection)
        pgvector.registerTypes(connection).then(finish, finish)
      }
    },
    migrations: {
      directory: fileURLToPath(new URL('../../migrations', import.meta.url)),
      extension: 'ts',
      loadExtensions: ['.ts'],
      schemaName: schema,
      tableName: 'migrations'
    }
  }
}

/** The server ends what takes too long, and says so. One that says nothing for longer is gone, whatever TCP believes. */
function endWhenSilent(connection: pg.Client, ms: number): void {
  const { stream } = (connection as unknown as { connection: { stream: Socket } }).connection
  stream.setTimeout(ms, () => stream.destroy(new Error('Connection terminated: the database fell silent')))
}

/** Knex writes to the terminal by itself; what it has to say belongs in our log, and is no news beside the failures. */
function knexLog(log: DatabaseSettings['log']): NonNullable<Knex.Config['log']> {
  const hear = (message: unknown) => log?.debug({ knex: String(message).slice(0, 200) }, 'knex reports')
  return { warn: hear, error: hear, deprecate: hear, debug: hear }
}

/** Opens a pool lazily: nothing connects before the first query. Close it with `destroy()`. */
export function createKnex(settings: DatabaseSettings): Knex {
  const knex = knexFactory(knexSettings(settings))
  const { poolMax: connections = connectionsByDefault, ownerOf } = settings
  if (ownerOf) shareConnections(knex, { connections, longestWaitMs: longestAcquireMs, ownerOf })
  return knex
}

/**
 * Brings the schema to the newest migration, creating it first. Safe to call from several processes at once.
 * @returns names of the migrations that were run now
 */
export async function migrateLatest(config: Pick<Config, 'databaseUrl' | 'databaseSchema'>): Promise<string[]> {
  if (!config.databaseUrl) throw new Error('migrateLatest needs a database URL')
  const knex = createKnex({ databaseUrl: config.databaseUrl, schema: config.databaseSchema, poolMax: 3 })
  try {
    await knex.raw('create schema if not exists ??', [config.databaseSchema])
    const [, names] = (await knex.migrate.latest()) as [number, string[]]
    return names
  } finally {
    await knex.destroy()
  }
}
