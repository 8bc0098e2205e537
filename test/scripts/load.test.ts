import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { startApi } from '../../api/start-api.ts'
import { newApiKey } from '../../lib/auth/api-key.ts'
import { openContext } from '../../lib/context.ts'
import { createLogger } from '../../lib/logger.ts'
import { createApiKeyStore } from '../../lib/store/people/api-keys.ts'
import { startWorkers } from '../../workers/start-workers.ts'
import { newUser, testConfig } from '../helpers/context.ts'
import { createIsolation } from '../helpers/services.ts'

const script = fileURLToPath(new URL('../../scripts/load.ts', import.meta.url))
const sampleFolder = fileURLToPath(new URL('../../sample/small-algorithms', import.meta.url))

type Run = { code: number; stdout: string; stderr: string }

/** An API and a worker of this file, and the loader as a process of its own. */
async function stage() {
  const isolation = await createIsolation()
  const config = testConfig(isolation, {
    WORKER_QUEUES: 'bulk_create',
    RATE_LIMITS: '{"bulk_create":{"limitPerMinute":60,"burst":1}}'
  })
  const log = createLogger({ level: config.logLevel, name: 'test' })
  const { context, close: closeContext } = openContext({ config, name: 'test', log })
  const { knex } = context
  const api = await startApi({ context, version: 'test' })
  const workers = await startWorkers({ context, name: 'test-loader' })
  api.server.listen(0, '127.0.0.1')
  await once(api.server, 'listening')
  const url = `http://127.0.0.1:${(api.server.address() as AddressInfo).port}`
  const userId = await newUser(context)
  const { key, hash, hint } = newApiKey()
  await createApiKeyStore({ knex }).insert(knex, { userId, name: 'test', hash, hint, expiresAt: null })
  return {
    knex,
    userId,
    load: (folder: string) =>
      new Promise<Run>((resolve) => {
        const env = { ...process.env, API_URL: url, API_KEY: key }
        execFile(process.execPath, [script, folder], { env }, (error, stdout, stderr) =>
          resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
        )
      }),
    async close() {
      await api.goAway()
      api.server.closeAllConnections()
      api.server.close()
      await once(api.server, 'close')
      await workers.stop()
      await api.close()
      await closeContext()
      await isolation.remove()
    }
  }
}

let opened: ReturnType<typeof stage> | undefined
const place = () => {
  opened ??= stage()
  return opened
}
test.after.always(async () => await (await opened)?.close())

const row = (name: string, ...counts: number[]) => new RegExp(`^ *${name} +${counts.join(' +')}$`, 'm')

test.serial('a folder is loaded through the API, and loading it again adds nothing', async (t) => {
  const { load, userId, knex } = await place()
  const first = await load(sampleFolder)
  t.is(first.code, 0, first.stdout + first.stderr)
  t.regex(first.stdout, row('courses', 2, 0, 0))
  t.regex(first.stdout, row('goals', 2, 0, 0))
  t.regex(first.stdout, row('tasks', 12, 0, 0))
  t.regex(first.stdout, row('code snapshots', 12, 0, 0))
  t.regex(first.stdout, row('documents', 8, 0, 0))
  t.regex(first.stdout, /^36\/36 records, call 1 of 1$/m)

  const second = await load(sampleFolder)
  t.is(second.code, 0)
  t.regex(second.stdout, row('in all', 0, 36, 0))
  const [counted] = await knex('tasks').where({ user_id: userId }).count()
  t.is(Number(counted?.count), 12)
  const subjects = await knex('courses').where({ owner_id: userId }).orderBy('subject').pluck('subject')
  t.deepEqual(subjects, ['javascript', 'python'])
})

test.serial('records that are refused are told by their lines, and the others are there', async (t) => {
  const { load } = await place()
  const folder = await mkdtemp(join(tmpdir(), 'load-test-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const write = (name: string, ...records: object[]) =>
    writeFile(join(folder, name), records.map((record) => JSON.stringify(record)).join('\n'))
  await write('courses.jsonl', { id: 'refused', title: 'Course' })
  await write(
    'tasks.jsonl',
    { id: 'a', course: 'refused', title: '' },
    { id: 'b', course: 'refused', title: 'Right', instructions: null }
  )
  const { code, stdout } = await load(folder)
  t.is(code, 1)
  t.regex(stdout, row('tasks', 1, 0, 1))
  t.regex(stdout, /^ {2}tasks\.jsonl:1 {2}title: /m)
})

test.serial('a broken folder is told before anything is sent', async (t) => {
  const { load } = await place()
  const { code, stderr, stdout } = await load('/nowhere')
  t.deepEqual({ code, stdout, stderr }, { code: 1, stdout: '', stderr: '/nowhere is not a folder.\n' })
})
