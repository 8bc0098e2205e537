import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

const run = promisify(execFile)
const file = fileURLToPath(new URL('../../scripts/services-up.ts', import.meta.url))
const env = { PATH: process.env.PATH, DATA_DIR: '/proc/nothing-may-be-started' }

test('--help says what the command does and starts nothing', async (t) => {
  const { stdout } = await run(process.execPath, [file, '--help'], { env })
  t.regex(stdout, /DATABASE_URL/)
})

test('a flag that is not one is refused, with the help and without a stack', async (t) => {
  const error = await t.throwsAsync<Error & { stderr: string }>(run(process.execPath, [file, '--helo'], { env }))
  t.regex(error.stderr, /--helo[\s\S]*DATABASE_URL/)
  t.notRegex(error.stderr, /^\s+at /m)
})
