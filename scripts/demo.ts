import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { loadConfig } from '../lib/config.ts'
import type { JobView } from '../lib/schemas/job.ts'
import { formatUsd, parseUsd } from '../lib/money.ts'
import { createPrinter } from './demo/printer.ts'
import { showChat, showEmbedding, showSearch, showValidation } from './demo/show-actions.ts'
import { waitForEmbeddings } from './demo/wait-for-embeddings.ts'
import { createClient } from './load/client.ts'
import { countRecords, loadFolder } from './load/load-folder.ts'
import { explainFailure, PlainError } from './load/plain-error.ts'
import { createProgressBar, type ProgressBar } from './load/progress-bar.ts'
import { readFolder } from './load/read-folder.ts'
import { summaryOf } from './load/summary.ts'
import { findTarget } from './load/target.ts'
import { loadEnvFile } from './load-env-file.ts'

/** `npm run demo`: loads the sample courses and shows one of each AI action with its result, tokens and cost. */

const usage = `npm run demo

Loads the sample courses into the running instance, waits for their embeddings, and shows one embedding, one search,
one chat and one code validation with their results, tokens and cost. Loading again adds nothing twice.

Variables:
  API_URL   address of the API (the running local instance, else http://127.0.0.1:8000)
  API_KEY   key of the user who is to own the courses (the local instance's administrator)
  DATA_DIR  folder of the local instance (.data)
`

const sampleFolder = fileURLToPath(new URL('../sample/small-algorithms', import.meta.url))

async function main(): Promise<void> {
  if (wantsHelp()) {
    console.log(usage)
    return
  }
  loadEnvFile()
  const print = createPrinter(process.stdout)
  const target = await findTarget(process.env, loadConfig({ DATA_DIR: process.env.DATA_DIR }).dataDir)
  const onWait = (reason: string, seconds: number) => print.line(`  ${reason}: going on in ${seconds} s`)
  const client = createClient({ ...target, onWait })

  print.heading(`Loading the sample courses into ${target.url}`)
  const folder = await readFolder(sampleFolder)
  const bar = createProgressBar(process.stdout, countRecords(folder))
  const loaded = await loadFolder(folder, { client, bar })
  print.line(summaryOf(loaded))
  if (loaded.rejections.length > 0) throw new PlainError('The sample courses were not taken as they are.')

  print.heading('Waiting for the embeddings, which the platform makes by itself')
  await waitForEmbeddings(client, embeddingsBar())

  const idOf = (clientId: string) => loaded.ids.get(clientId) as string
  const needs = { client, print }
  const jobs = [
    await showEmbedding(needs),
    await showSearch(needs),
    await showChat(needs, idOf('course:small-algorithms-javascript')),
    await showValidation(needs, idOf('task:small-algorithms-javascript/balanced-brackets'))
  ]
  print.heading(totalOf(jobs))
}

/** How many there are is known only once they are counted, and a retry makes one more of them. */
function embeddingsBar(): (left: number) => void {
  let bar: ProgressBar | undefined
  let most = 0
  let done = 0
  return (left) => {
    if (left === 0) {
      if (!bar) console.log('  nothing is waiting')
      bar?.update(most, 'embedded')
      bar?.end()
      return
    }
    if (!bar || left > most) {
      most = left
      bar = createProgressBar(process.stdout, most)
    }
    done = Math.max(done, most - left)
    bar.update(done, 'embedded')
  }
}

function totalOf(jobs: JobView[]): string {
  const tokens = jobs.reduce((sum, { usage }) => sum + usage.totalTokens, 0)
  const cost = jobs.reduce((sum, { usage }) => sum + parseUsd(usage.costUsd), 0n)
  return `In all ${jobs.length} jobs, ${tokens} tokens, ${formatUsd(cost)} USD.`
}

function wantsHelp(): boolean {
  try {
    return parseArgs({ options: { help: { type: 'boolean', short: 'h', default: false } } }).values.help
  } catch (error) {
    throw new PlainError(`${(error as Error).message}\n\n${usage}`)
  }
}

try {
  await main()
} catch (error) {
  console.error(explainFailure(error))
  process.exitCode = 1
}
