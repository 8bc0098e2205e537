import { parseArgs } from 'node:util'
import { loadConfig } from '../lib/config.ts'
import { createClient } from './load/client.ts'
import { countRecords, loadFolder } from './load/load-folder.ts'
import { explainFailure, PlainError } from './load/plain-error.ts'
import { createProgressBar } from './load/progress-bar.ts'
import { readFolder } from './load/read-folder.ts'
import { summaryOf } from './load/summary.ts'
import { findTarget } from './load/target.ts'
import { loadEnvFile } from './load-env-file.ts'

/** `npm run load -- <folder>`: brings a folder of courses in through the REST API. */

const usage = `npm run load -- <folder>

Brings courses with their exercises, solutions and pages in through the REST API. Loading a folder again adds nothing twice.

The folder holds JSON lines:
  courses.jsonl         id, title, description, language
  tasks.jsonl           id, course, title, instructions
  code-snapshots.jsonl  id, task, language, source
  documents.jsonl       id, course, title, markdown

Variables:
  API_URL   address of the API (the running local instance, else http://127.0.0.1:8000)
  API_KEY   key of the user who is to own the courses (the local instance's administrator)
  DATA_DIR  folder of the local instance (.data)
`

async function main(): Promise<number> {
  const { positionals, help } = readArguments()
  if (help) {
    console.log(usage)
    return 0
  }
  const [path] = positionals
  if (path === undefined || positionals.length > 1) throw new PlainError(`Name one folder.\n\n${usage}`)
  loadEnvFile()
  const folder = await readFolder(path)
  const target = await findTarget(process.env, loadConfig({ DATA_DIR: process.env.DATA_DIR }).dataDir)
  const bar = createProgressBar(process.stdout, countRecords(folder))
  console.log(`Loading ${path} into ${target.url}`)
  const client = createClient({
    ...target,
    onWait: (reason, seconds) => bar.note(`${reason}: going on in ${seconds} s`)
  })
  const loaded = await loadFolder(folder, { client, bar })
  console.log(summaryOf(loaded))
  return loaded.rejections.length > 0 ? 1 : 0
}

function readArguments(): { positionals: string[]; help: boolean } {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { help: { type: 'boolean', short: 'h', default: false } }
    })
    return { positionals, help: values.help }
  } catch (error) {
    throw new PlainError(`${(error as Error).message}\n\n${usage}`)
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(explainFailure(error))
  process.exitCode = 1
}
