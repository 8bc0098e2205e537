import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { configHelp } from '../../lib/config.ts'
import { emptyFolder } from '../helpers/folders.ts'

const file = fileURLToPath(new URL('../../scripts/start.ts', import.meta.url))

async function start(env: Record<string, string>, ...args: string[]) {
  const { PATH, NODE_COMPILE_CACHE } = process.env
  const child = spawn(process.execPath, [file, ...args], { env: { PATH, NODE_COMPILE_CACHE, ...env }, cwd: '/' })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number]
  return { code, output: output.trim() }
}

test('bad variables stop the start with one message that names each', async (t) => {
  const { code, output } = await start({ PORT: 'eighty', DATABASE_URL: 'mysql://x', LOG_LEVEL: 'loud' })
  t.is(code, 1)
  for (const name of ['PORT', 'DATABASE_URL', 'LOG_LEVEL']) t.regex(output, new RegExp(`^ {2}${name} must`, 'm'))
  t.notRegex(output, /^\s+at /m)
})

test('a busy port stops the start with one line', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  t.teardown(() => void server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { code, output } = await start({ PORT: String(port), DATA_DIR: await emptyFolder(t) })
  t.is(code, 1)
  t.regex(output, new RegExp(`^Port ${port} on 127\\.0\\.0\\.1 is in use by another process\\. .*$`))
})

test('a folder that cannot be written stops the start with one line', async (t) => {
  const { code, output } = await start({ DATA_DIR: '/proc/goals' })
  t.is(code, 1)
  t.regex(output, /^DATA_DIR \/proc\/goals cannot be written: .*$/)
})

test('--help lists every variable and starts nothing; another flag is refused', async (t) => {
  const help = await start({}, '--help')
  t.is(help.code, 0)
  t.true(help.output.includes(configHelp().trim()))
  const unknown = await start({}, '--helo')
  t.is(unknown.code, 1)
  t.regex(unknown.output, /--helo/)
  t.notRegex(unknown.output, /^\s+at /m)
})
