import { readdir } from 'node:fs/promises'
import { withPostgres } from '../services/postgres-client.ts'
import { compareClocks } from './clock.ts'
import { type Finding, findingsOf, placeOf, reasonOf } from './findings.ts'

/** pgvector's iterative scans came with this version (its changelog). */
const leastPgvector = [0, 8]
/** Of an API process, and of a workers process with its checkpoints and heartbeat. */
const connectionsOfApi = 10
const connectionsOfWorkers = 10 + 4 + 1
/** One of each, and another one of either while `npm restart` replaces them. */
const connectionsNeeded = connectionsOfApi + 2 * connectionsOfWorkers

const migrationsFolder = new URL('../../migrations/', import.meta.url)

/** Looks at the database, and at the prices of these models in it. */
export async function examinePostgres({
  url,
  schema,
  models
}: {
  url: string
  schema: string
  models: { chatModel: string; embeddingModel: string }
}): Promise<Finding[]> {
  const findings = findingsOf('postgres')
  const { ok, todo, unknown } = findings
  const quoted = `"${schema}"` // DATABASE_SCHEMA is a plain identifier
  try {
    await withPostgres(url, async (client) => {
      const askedAt = Date.now()
      const { rows } = await client.query<Facts>(facts, [`${quoted}.prices`])
      const row = rows[0] as Facts
      ok('reachable', placeOf(url))
      if (row.version >= 150_000) ok('version', row.version_text)
      else todo('version', row.version_text, 'PostgreSQL 15 or newer is needed: upgrade it.')
      pgvector(row)
      if (row.read_only) todo('writes', 'it takes none', 'DATABASE_URL must lead to the primary.')
      else ok('writes', 'it takes them')
      compareClocks(findings, 'the database', Number(row.now_ms), askedAt, Date.now())
      const left = row.max_connections - row.reserved - row.used
      const connections = `${row.max_connections} in all, ${row.used} in use, ${connectionsNeeded} needed for one API and one workers process`
      if (left + row.ours >= connectionsNeeded) ok('connections', connections)
      else {
        todo(
          'connections',
          connections,
          `Raise max_connections: ${connectionsOfApi} for each API process and ${connectionsOfWorkers} for each workers process.`
        )
      }
      if (!row.has_tables) {
        unknown('migrations', `schema ${quoted} has no tables yet: npm start, or npm run db:migrate, makes them`)
        return
      }
      await migrations(client)
      await prices(client)
    })
  } catch (error) {
    const isReachable = findings.findings.length > 0
    if (isReachable) todo('questions', reasonOf(error), 'Give the user of DATABASE_URL the right to read and to write.')
    else {
      const hint = 'Start PostgreSQL, or set DATABASE_URL to one that answers.'
      todo('reachable', `${placeOf(url)}: ${reasonOf(error)}`, hint)
    }
  }
  return findings.findings

  function pgvector({ pgvector: installed, pgvector_available: available }: Facts): void {
    const version = installed ?? available
    const place = 'Install pgvector 0.8 or newer on the server (extension "vector").'
    if (!version) return todo('pgvector', 'not there', place)
    const [major = 0, minor = 0] = version.split('.').map(Number)
    const isEnough = major > (leastPgvector[0] as number) || minor >= (leastPgvector[1] as number)
    if (!isEnough) return todo('pgvector', version, `${place} Then: alter extension vector update`)
    ok('pgvector', installed ? version : `${version}, installed by the first migration`)
  }

  async function prices(client: Client): Promise<void> {
    for (const [variable, model] of [
      ['CHAT_MODEL', models.chatModel],
      ['EMBEDDING_MODEL', models.embeddingModel]
    ] as const) {
      const { rows } = await client.query<{ input: string; output: string }>(
        `select trim_scale(input_per_million)::text as input, trim_scale(output_per_million)::text as output from ${quoted}.prices
         where model = $1 and valid_from <= now() order by valid_from desc limit 1`,
        [model]
      )
      const [price] = rows
      if (price) ok(`price of ${model}`, `${price.input} USD in, ${price.output} USD out for a million tokens`)
      else {
        todo(
          `price of ${model}`,
          'none is known, and a model without a price is refused',
          `An administrator adds it (POST /api/v1/admin/prices), also 0 for a model of your own; or set ${variable}.`
        )
      }
    }
  }

  async function migrations(client: Client): Promise<void> {
    const { rows } = await client.query<{ name: string }>(`select name from ${quoted}.migrations`)
    const run = new Set(rows.map(({ name }) => name))
    const pending = (await readdir(migrationsFolder)).filter((name) => name.endsWith('.ts') && !run.has(name))
    if (pending.length === 0) ok('migrations', 'up to date')
    else todo('migrations', `${pending.length} to be run`, 'npm start runs them, and so does npm run db:migrate.')
  }
}

type Client = Parameters<Parameters<typeof withPostgres>[1]>[0]

type Facts = {
  version: number
  version_text: string
  pgvector: string | null
  pgvector_available: string | null
  read_only: boolean
  now_ms: string
  max_connections: number
  reserved: number
  used: number
  ours: number
  has_tables: boolean
}

const facts = `
  select current_setting('server_version_num')::int as version, current_setting('server_version') as version_text,
    (select extversion from pg_extension where extname = 'vector') as pgvector,
    (select default_version from pg_available_extensions where name = 'vector') as pgvector_available,
    pg_is_in_recovery() or current_setting('default_transaction_read_only')::boolean as read_only,
    extract(epoch from clock_timestamp()) * 1000 as now_ms,
    current_setting('max_connections')::int as max_connections,
    current_setting('superuser_reserved_connections')::int as reserved,
    (select count(*)::int from pg_stat_activity where backend_type = 'client backend') as used,
    (select count(*)::int from pg_stat_activity where application_name like 'goals-%') as ours,
    to_regclass($1) is not null as has_tables`
