import { createBudgets } from '../lib/budgets/budgets.ts'
import { createLogger } from '../lib/logger.ts'
import { createBudgetStore } from '../lib/store/money/budgets.ts'
import { createJobStore } from '../lib/store/jobs/jobs.ts'
import { createLedger } from '../lib/store/money/ledger.ts'
import { compareWithInvoice, makeMixedCalls } from '../test/helpers/mixed-calls.ts'
import { openBenchDatabase } from './bench-database.ts'

/**
 * `npm run bench:money [-- calls]`: mixed calls with faults, kills and aborts through the model client, 10,000 unless
 * told, and whether the ledger agrees with the provider's invoice line by line.
 */

const calls = Number(process.argv[2] ?? 10_000)
const stepsOfJob = 10

const { knex, close } = await openBenchDatabase()
try {
  const config = { chatModel: 'offline-chat-mini', embeddingModel: 'offline-embedding-small' }
  const store = createBudgetStore({ knex })
  const ledger = createLedger({ knex, budgets: store })
  const budgets = createBudgets({ knex, store, priceOf: ledger.priceOf, ...config })
  const log = createLogger({ level: 'error', name: 'bench' })

  const startedAt = performance.now()
  const parts = { knex, jobStore: createJobStore({ knex }), ledger, budgets, log, config }
  const lines = await makeMixedCalls(parts, { jobs: Math.ceil(calls / stepsOfJob), stepsOfJob })
  const seconds = (performance.now() - startedAt) / 1_000
  const { problems, states, requests, neverSent } = await compareWithInvoice(knex, lines)
  console.log(`${requests} requests in ${seconds.toFixed(1)} s: ${JSON.stringify(states)}, ${neverSent} never sent`)
  console.log(problems.length === 0 ? 'The ledger agrees with the invoice.' : problems.slice(0, 20).join('\n'))
  if (problems.length > 0) process.exitCode = 1
} finally {
  await close()
}
