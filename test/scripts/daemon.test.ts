import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type DaemonSpec, startDaemon, untilReady } from '../../scripts/services/daemon.ts'
import { identify, isAlive, readLiving } from '../../scripts/services/process-identity.ts'
import { probePort } from '../../scripts/services/probe-port.ts'
import { emptyFolder } from '../helpers/folders.ts'

const echo = `
import { createServer } from 'node:net'
createServer((socket) => socket.pipe(socket)).listen(Number(process.argv[2]), '127.0.0.1')
`

async function spec(t: ExecutionContext, code = echo): Promise<DaemonSpec> {
  const folder = await emptyFolder(t)
  const file = join(folder, 'daemon.mjs')
  await writeFile(file, code)
  const pidFile = join(folder, 'pid.json')
  t.teardown(async () => {
    const living = await readLiving(pidFile)
    if (living) process.kill(living.pid, 'SIGKILL')
  })
  return {
    name: 'Echo',
    command: process.execPath,
    onPort: (port) => ({ args: [file, String(port)], env: {} }),
    cwd: folder,
    logFile: join(folder, 'log'),
    pidFile,
    portFile: join(folder, 'port'),
    fingerprint: 'one',
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 60_000
  }
}

const answers = (port: number) => async () => (await probePort(port, 'hello', 'hello')) !== undefined

test('an instance left behind is used again when it was started in the same way', async (t) => {
  const same = await spec(t)
  const left = await startDaemon(same)
  await untilReady(same, left, answers(left.port), 60_000)
  const next = await startDaemon(same)
  t.is(next.pid, left.pid)
  t.is(next.port, left.port)
  await next.stop()
  t.false(await left.isRunning())
})

test('one that was started in another way is stopped first; the port stays', async (t) => {
  const first = await spec(t)
  const left = await startDaemon(first)
  await untilReady(first, left, answers(left.port), 60_000)
  const next = await startDaemon({ ...first, fingerprint: 'two' })
  t.false(await left.isRunning())
  t.not(next.pid, left.pid)
  t.is(next.port, left.port)
  await untilReady(first, next, answers(next.port), 60_000)
  await next.stop()
})

test('one that was let go and still ends is waited for, not used again', async (t) => {
  const slow = await spec(t, `${echo}process.on('SIGTERM', () => setTimeout(() => process.exit(), 300))\n`)
  const first = await startDaemon(slow)
  await untilReady(slow, first, answers(first.port), 60_000)
  first.letGo()
  const next = await startDaemon(slow)
  t.not(next.pid, first.pid)
  t.false(await first.isRunning())
  await next.stop()
})

test('a process that only has the number of the one left behind is neither used nor stopped', async (t) => {
  const fresh = await spec(t)
  await writeFile(fresh.pidFile, JSON.stringify({ pid: process.pid, born: 'earlier', port: 1, fingerprint: 'one' }))
  const daemon = await startDaemon(fresh)
  t.not(daemon.pid, process.pid)
  await untilReady(fresh, daemon, answers(daemon.port), 60_000)
  const identity = await identify(daemon.pid)
  await daemon.stop()
  t.false(await isAlive(identity))
})

test('one that ends at once is told with the end of its log', async (t) => {
  const broken = await spec(t, `console.error('the data folder is of another version')\n`)
  const daemon = await startDaemon(broken)
  const error = await t.throwsAsync(untilReady(broken, daemon, answers(daemon.port), 60_000), { name: 'StartError' })
  t.regex(error?.message ?? '', /^Echo ended right after its start\. .*:\n {2}the data folder is of another version$/)
})

test('one that does not answer in time is stopped and told', async (t) => {
  const silent = await spec(t, 'setInterval(() => {}, 1000)\n')
  const daemon = await startDaemon(silent)
  await t.throwsAsync(untilReady(silent, daemon, answers(daemon.port), 200), {
    message: /did not answer within 0\.2 s/
  })
  t.false(await daemon.isRunning())
})

test('a program that is not there is one message', async (t) => {
  const absent = { ...(await spec(t)), command: '/nonexistent/program' }
  await t.throwsAsync(startDaemon(absent), { name: 'StartError', message: /^Echo could not be started/ })
})
