import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { identify, isAlive } from '../../scripts/services/process-identity.ts'
import { isStartError } from '../../scripts/services/start-error.ts'
import { type ChildSpec, createSupervisor, stopLeftBehind } from '../../scripts/start/supervisor.ts'
import { emptyFolder } from '../helpers/folders.ts'
import { freePort } from '../helpers/gate.ts'
import { createMessages } from '../helpers/messages.ts'

const polite = `process.on('SIGINT', () => process.exit(0)); process.on('disconnect', () => process.exit(0))\n`
const stays = `${polite}setInterval(() => {}, 1000)\n`
const ready = `process.send({ type: 'ready', url: 'http://127.0.0.1:' + process.pid })\n`
const pidOf = (url: string | undefined) => Number(new URL(url ?? '').port)

async function child(t: ExecutionContext, code: string, options: Partial<ChildSpec> = {}) {
  const folder = await emptyFolder(t)
  const file = join(folder, 'child.mjs')
  await writeFile(file, code)
  const messages = createMessages()
  const spec: ChildSpec = {
    title: 'Worker',
    file,
    env: () => ({ PATH: process.env.PATH, FOLDER: folder }),
    logFile: join(folder, 'child.log'),
    pidFile: join(folder, 'child.json'),
    readyTimeoutMs: 100_000,
    stopTimeoutMs: 60_000,
    backoff: { first: 10, max: 40, calm: 60_000 },
    ...options
  }
  const supervisor = createSupervisor(spec, messages.say)
  t.teardown(() => supervisor.kill())
  return { supervisor, messages, spec }
}

test.serial('one that cannot be started is a failed start and no more, also when it shares its port', async (t) => {
  const { execPath } = process
  for (const sharesPort of [false, true]) {
    const { supervisor } = await child(t, stays + ready, { sharesPort })
    process.execPath = '/nowhere/node'
    await t.throwsAsync(supervisor.start(), { message: /^Worker could not be started: .*ENOENT/ })
    process.execPath = execPath
  }
})

test('a child that was ready and dies is started again, and both are said', async (t) => {
  const { supervisor, messages } = await child(t, stays + ready)
  const { url } = await supervisor.start()
  const back = messages.next(/is back/)
  process.kill(pidOf(url), 'SIGKILL')
  await back
  t.deepEqual(messages.all, ['Worker was ended by SIGKILL; it is started again in 0.01 s', 'Worker is back'])
  t.true(await supervisor.stop())
})

test('one that keeps dying is started again at growing intervals, up to a limit', async (t) => {
  const { supervisor, messages } = await child(
    t,
    `process.send({ type: 'ready' }, () => setTimeout(() => process.exit(7), 100))\n`
  )
  const fourth = messages.next(/0\.04 s.*/)
  await supervisor.start()
  await fourth
  await messages.next(/0\.04 s/)
  supervisor.kill()
  const waits = messages.all.flatMap(
    (text) => /ended with code 7; it is started again in (\S+) s/.exec(text)?.[1] ?? []
  )
  t.deepEqual(waits.slice(0, 4), ['0.01', '0.02', '0.04', '0.04'])
})

test('one that ends before it is ready fails the start with the end of its log', async (t) => {
  const { supervisor, messages } = await child(t, `console.error('no such table'); process.exit(4)\n`)
  const error = await t.throwsAsync(supervisor.start())
  t.true(isStartError(error))
  t.regex(error?.message ?? '', /^Worker ended with code 4\. The end of its log \(.*child\.log\):\n {2}no such table$/)
  t.deepEqual(messages.all, [])
})

test('one that is never ready is ended and fails the start', async (t) => {
  const { supervisor } = await child(t, stays, { readyTimeoutMs: 300 })
  await t.throwsAsync(supervisor.start(), { message: /^Worker was not ready within 0\.3 s/ })
})

test('stopping waits for an orderly end and starts nothing again', async (t) => {
  const slow = `process.on('SIGINT', () => setTimeout(() => { console.log('drained'); process.exit(0) }, 100))\n`
  const { supervisor, messages } = await child(t, `${slow}setInterval(() => {}, 1000)\n${ready}`)
  const { url } = await supervisor.start()
  const identity = await identify(pidOf(url))
  t.true(await supervisor.stop())
  t.false(await isAlive(identity))
  t.deepEqual(messages.all, [])
})

test('one that does not end in time is killed, and that is told', async (t) => {
  const deaf = `process.on('SIGINT', () => {})\nsetInterval(() => {}, 1000)\n${ready}`
  const { supervisor } = await child(t, deaf, { stopTimeoutMs: 100 })
  const { url } = await supervisor.start()
  const identity = await identify(pidOf(url))
  t.false(await supervisor.stop())
  t.false(await isAlive(identity))
})

const second = `import { existsSync, writeFileSync } from 'node:fs'
const mark = process.env.FOLDER + '/started'
const first = !existsSync(mark)
writeFileSync(mark, '')\n`

test('one is replaced by another that is ready before the old one is asked to end', async (t) => {
  const tells = `process.on('SIGTERM', () => { console.log('taken over'); process.exit(0) })\n`
  const { supervisor, messages, spec } = await child(t, tells + stays + ready)
  const old = await identify(pidOf((await supervisor.start()).url))
  t.true(await supervisor.replace())
  t.false(await isAlive(old))
  t.regex(await readFile(spec.logFile ?? '', 'utf8'), /taken over/)
  const { pid } = JSON.parse(await readFile(spec.pidFile, 'utf8')) as { pid: number }
  t.not(pid, old.pid)
  // The new one is kept running as the old one was.
  const back = messages.next(/is back/)
  process.kill(pid, 'SIGKILL')
  await back
  t.true(await supervisor.stop())
})

test('one whose successor does not get ready stays', async (t) => {
  const fails = `if (!first) { console.error('no such table'); process.exit(4) }\n`
  const { supervisor, spec } = await child(t, second + fails + stays + ready)
  const old = await identify(pidOf((await supervisor.start()).url))
  await t.throwsAsync(supervisor.replace(), { message: /^Worker ended with code 4\..*no such table/s })
  t.true(await isAlive(old))
  t.deepEqual(JSON.parse(await readFile(spec.pidFile, 'utf8')), old)
  t.true(await supervisor.stop())
  t.false(await isAlive(old))
})

test('one that dies while its successor starts is not started again besides', async (t) => {
  const dies = `if (!first) process.kill(Number(readFileSync(process.env.FOLDER + '/old', 'utf8')), 'SIGKILL')\n`
  const reads = `import { readFileSync } from 'node:fs'\n`
  const { supervisor, messages, spec } = await child(t, reads + second + dies + stays + ready)
  const old = await identify(pidOf((await supervisor.start()).url))
  await writeFile(join(dirname(spec.pidFile), 'old'), String(old.pid))
  t.true(await supervisor.replace())
  t.deepEqual(messages.all, [])
  t.true(await supervisor.stop())
})

test('a port that is shared is never closed while one is replaced by another', async (t) => {
  const port = await freePort()
  const serves = `import { createServer } from 'node:http'
const server = createServer((request, response) => response.end(String(process.pid)))
process.on('SIGTERM', () => server.close(() => process.exit(0)))
server.listen(${port}, '127.0.0.1', () => process.send({ type: 'ready' }))\n`
  const { supervisor } = await child(t, serves + polite, { sharesPort: true })
  await supervisor.start()
  const pids = new Set<string>()
  let replacing = true
  const asking = Array.from({ length: 4 }, async () => {
    while (replacing) {
      const response = await fetch(`http://127.0.0.1:${port}`, { headers: { connection: 'close' } })
      pids.add(await response.text())
    }
  })
  for (let n = 0; n < 3; n++) t.true(await supervisor.replace())
  replacing = false
  await t.notThrowsAsync(Promise.all(asking))
  t.true(pids.size >= 3, `${pids.size} processes answered`)
  t.true(await supervisor.stop())
})

test('a child that a killed launcher left behind is stopped by the next start', async (t) => {
  const { supervisor, spec } = await child(t, stays + ready)
  const { url } = await supervisor.start()
  const identity = await identify(pidOf(url))
  const stopped = await stopLeftBehind(spec)
  t.true(stopped)
  t.false(await isAlive(identity))
})

test('nothing is stopped when the process id now belongs to somebody else', async (t) => {
  const { spec } = await child(t, stays)
  await writeFile(spec.pidFile, JSON.stringify({ pid: process.pid, born: 'earlier' }))
  t.false(await stopLeftBehind(spec))
})
