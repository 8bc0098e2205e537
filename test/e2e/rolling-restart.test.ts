import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import test from 'ava'
import WebSocket from 'ws'
import { newId } from '../../lib/ids.ts'
import { caller, startPlatform } from '../helpers/platform.ts'

const restart = fileURLToPath(new URL('../../scripts/restart.ts', import.meta.url))

test('npm restart replaces API and workers, and clients see nothing but a socket that is told to come back', async (t) => {
  t.timeout(180_000)
  const platform = await startPlatform(t, {
    KEEP_ALIVE_SECONDS: '2',
    RATE_LIMITS: JSON.stringify(
      Object.fromEntries(
        ['api_call', 'embedding_generation', 'address_ai'].map((name) => [name, { limitPerMinute: 600_000, burst: 1 }])
      )
    )
  })
  const register = caller(platform.url)
  const { body } = await register<{ token: string }>('POST', '/auth/register', {
    email: `${newId()}@example.test`,
    password: 'a password of length',
    name: 'Learner'
  })
  const send = caller(platform.url, body.token)
  const pidOf = async (name: string) =>
    (JSON.parse(await readFile(join(platform.dataDir, `${name}.json`), 'utf8')) as { pid: number }).pid
  const before = await Promise.all(['api', 'workers'].map(pidOf))

  let stopping = false
  const statuses = new Map<string, number>()
  const jobs: string[] = []
  const clients = Array.from({ length: 6 }, async (_, n) => {
    for (let round = n; !stopping; round++) {
      // A connection of its own for each request of half of them.
      const headers: Record<string, string> = n % 2 === 0 ? {} : { connection: 'close' }
      const answer =
        round % 4 === 0
          ? await send<{ id: string }>('POST', '/embeddings', { input: `text ${n} ${round}` }, headers)
          : await send<{ id: string }>('GET', '/goals', undefined, headers)
      if (answer.status === 202) jobs.push(answer.body.id)
      const outcome = String(answer.status)
      statuses.set(outcome, (statuses.get(outcome) ?? 0) + 1)
      await delay(25) // as people do; what is shown is that none of them is turned away
    }
  })
  const socket = new WebSocket(`${platform.url.replace('http', 'ws')}/ws`, {
    headers: { authorization: `Bearer ${body.token}` }
  })
  const closed = once(socket, 'close')
  await once(socket, 'open')
  const env = { ...process.env, ...platform.env }
  const { stdout } = await promisify(execFile)(process.execPath, [restart], { env })
  t.regex(stdout, /replaced the workers\nreplaced the API\ndone\n$/)
  t.is((await closed)[0], 1001)
  stopping = true
  await t.notThrowsAsync(Promise.all(clients))

  t.deepEqual([...statuses.keys()].toSorted(), ['200', '202'])
  t.true(jobs.length > 5)
  for (const id of jobs)
    t.like((await send('GET', `/jobs/${id}`, undefined, { prefer: 'wait=30' })).body, { status: 'completed' })
  const after = await Promise.all(['api', 'workers'].map(pidOf))
  for (const [index, pid] of after.entries()) t.not(pid, before[index])
  t.is(await platform.stop(), 0)
})

test('npm restart says so when nothing runs', async (t) => {
  const env = { ...process.env, DATA_DIR: '/nowhere/at/all' }
  const error = await t.throwsAsync(promisify(execFile)(process.execPath, [restart], { env }))
  t.is(
    (error as Error & { stderr: string }).stderr,
    'Nothing runs with DATA_DIR /nowhere/at/all. Start it: npm start\n'
  )
})
