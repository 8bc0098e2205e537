import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { isolated } from '../helpers/services.ts'

const script = fileURLToPath(new URL('../../scripts/attack.ts', import.meta.url))

/** The short form of `npm run attack`: a tenth of everything, on a platform of its own over the services of the tests. */
test('what one person can send stops nobody, shows nothing of others and is never answered with an error of ours', async (t) => {
  t.timeout(400_000)
  const { databaseUrl, schema, redisUrl, prefix, rabbitmqUrl, exchange } = await isolated(t)
  const env = {
    ...process.env,
    DATABASE_URL: databaseUrl,
    DATABASE_SCHEMA: schema,
    REDIS_URL: redisUrl,
    REDIS_PREFIX: prefix,
    RABBITMQ_URL: rabbitmqUrl,
    EVENTS_EXCHANGE: exchange
  }
  const child = spawn(process.execPath, [script, '--short', '--seed', '7'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => {
    child.kill()
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
  t.is(code, 0, output)
  t.regex(output, /Everything held/)
})
