import { hostname } from 'node:os'
import { parseArgs } from 'node:util'
import { ConfigError, loadConfig } from '../lib/config.ts'
import { openContext, type ProcessConfig } from '../lib/context.ts'
import { createRunHere } from '../lib/jobs/run-here.ts'
import { createLogger } from '../lib/logger.ts'
import { openModels } from '../lib/models/open-models.ts'
import { createProviderGuard } from '../lib/models/provider-guard.ts'
import { createChunkPool } from '../lib/rag/chunk-pool.ts'
import { createReembed, type Reembed } from '../lib/rag/reembed.ts'
import { createEmbeddingStore } from '../lib/store/search/embeddings.ts'
import { createSourceStore } from '../lib/store/search/sources.ts'
import { createUsageTracker } from '../lib/usage/tracker.ts'
import { createHeartbeat } from '../workers/heartbeat.ts'
import { createProgressBar } from './load/progress-bar.ts'
import { localServices } from './local-services.ts'
import { loadEnvFile } from './load-env-file.ts'

/** `npm run reembed -- --model X`: gives every record vectors of another model while searches go on with the old one. */

const usage = `npm run reembed -- --model <name> [--prune]

Gives every record vectors of another embedding model of 1536 dimensions. Searches go on with the model they use and
never mix the two. Stop it whenever you like: it goes on where it was. When it is done, start the platform with
EMBEDDING_MODEL=<name>, and then delete the old vectors with --prune.

Variables: those of npm start. Without DATABASE_URL and REDIS_URL it uses the services of the npm start that runs here.
The model needs a price (POST /admin/prices), and the provider has to serve it: both are looked at before anything else.
`

function readArguments(): { model: string; prune: boolean } | undefined {
  const { values } = parseArgs({
    options: {
      model: { type: 'string' },
      prune: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' }
    }
  })
  return values.model && !values.help ? { model: values.model, prune: values.prune } : undefined
}

async function main(): Promise<number> {
  const wanted = readArguments()
  if (!wanted) {
    console.log(usage)
    return 1
  }
  loadEnvFile()
  const given = { ...process.env, EMBEDDING_MODEL: wanted.model }
  const { dataDir } = loadConfig(given)
  const config = loadConfig({ ...(await localServices(dataDir)), ...given })
  const missing = [...(config.databaseUrl ? [] : ['DATABASE_URL']), ...(config.redisUrl ? [] : ['REDIS_URL'])]
  if (missing.length > 0) {
    throw new ConfigError(
      missing.map((name) => `${name} is not set, and no npm start runs here (${dataDir} has no services.json)`)
    )
  }

  const log = createLogger({ level: 'warn', name: 'reembed' })
  const complete = { ...config, jwtSecret: config.jwtSecret ?? '-'.repeat(32) } as ProcessConfig
  const { context, close } = openContext({ config: complete, name: 'reembed', log })
  let heartbeat: ReturnType<typeof createHeartbeat> | undefined
  const chunker = createChunkPool()
  const stop = new AbortController()
  // The second one ends the process at once.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  try {
    const { knex, redis, prefix, transaction, ledger, budgets, jobStore, lifecycle, workerStore } = context
    if (!wanted.prune && !(await ledger.priceOf(wanted.model))) {
      const priced = new Set((await context.admin.prices.list({ limit: 100 })).map(({ model }) => model))
      const known = [...priced].filter((model) => /embed/i.test(model)).toSorted()
      throw new Error(
        `${wanted.model} has no price, so nothing was begun. Embedding models with a price: ${known.join(', ')}.\n` +
          'Another gets its price with POST /api/v1/admin/prices.'
      )
    }
    const tracker = createUsageTracker()
    const guard = createProviderGuard({ redis, prefix, limits: config.providerLimits, log })
    const models = await openModels({ config, tracker, ledger, budgets, guard, redis, prefix, log })
    const worker = `reembed-${hostname()}-${process.pid}`
    const database = { databaseUrl: complete.databaseUrl, schema: config.databaseSchema }
    heartbeat = createHeartbeat({ store: workerStore, worker, queues: [], database, log })
    await heartbeat.start()
    const reembed = createReembed({
      sources: createSourceStore({ knex }),
      embeddings: createEmbeddingStore({ knex }),
      chunker,
      models,
      runHere: createRunHere({ store: jobStore, transaction, lifecycle, tracker, worker, command: 'npm run reembed' })
    })
    const total = await reembed.left()
    return wanted.prune ? await prune(reembed, stop.signal) : await embed(reembed, total, wanted.model, stop.signal)
  } finally {
    await heartbeat?.stop()
    await chunker.close()
    await close()
  }
}

async function embed(reembed: Reembed, total: number, model: string, signal: AbortSignal): Promise<number> {
  const bar = createProgressBar(process.stdout, total)
  let records = 0
  let chunks = 0
  const failed = await reembed.run({
    signal,
    onDone: (added) => {
      records += 1
      chunks += added
      bar.update(records, `${chunks} chunks`)
    },
    onFailure: ({ type, id }, error) => bar.note(`${type} ${id}: ${(error as Error).message}`)
  })
  bar.end()
  const left = await reembed.left()
  if (left === 0) console.log(`Every record has vectors of ${model}. Start the platform with EMBEDDING_MODEL=${model}.`)
  else console.log(`${left} records are left${failed > 0 ? `, ${failed} failed` : ''}: run it again to go on.`)
  return left === 0 ? 0 : 1
}

async function prune(reembed: Reembed, signal: AbortSignal): Promise<number> {
  let chunks = 0
  await reembed.prune({ signal, onDone: (deleted) => void (chunks += deleted) })
  console.log(`${chunks} vectors of other models were deleted.`)
  return signal.aborted ? 1 : 0
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
