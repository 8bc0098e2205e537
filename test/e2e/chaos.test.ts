import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const script = fileURLToPath(new URL('../../scripts/chaos.ts', import.meta.url))

/**
 * The short form of `npm run chaos`: its own services, two APIs, two workers, 100 jobs spread over the blows, each of
 * them once and for a fifth of its time. It breaks things that other tests use, so nothing of theirs is given to it.
 */
test('while everything is killed or frozen in turn no job is lost, nothing is done or paid twice, no news is missing', async (t) => {
  t.timeout(600_000)
  const { TEST_DATABASE_URL: _1, TEST_REDIS_URL: _2, TEST_RABBITMQ_URL: _3, ...env } = process.env
  const child = spawn(process.execPath, [script, '--jobs', '100', '--seed', '7', '--outage', '3', '--share', '20'], {
    env,
    stdio: ['ignore', 'pipe', 'pipe']
  })
  t.teardown(() => {
    child.kill()
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
  t.is(code, 0, output)
  t.regex(output, /Every promise held/)
})
