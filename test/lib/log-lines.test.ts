import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const logger = fileURLToPath(new URL('../../lib/logger.ts', import.meta.url))

/** Runs a program that has a `log`. @returns the messages that came out, and how it ended */
async function runLogging(program: string) {
  const source = `import { createLogger } from ${JSON.stringify(logger)}
    const log = createLogger({ level: 'info', name: 'test' })
    ${program}`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    stdio: ['ignore', 'pipe', 'ignore']
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => {
    child.once('close', (...end) => resolve(end))
  })
  const messages = output
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { msg: string }).msg)
  return { messages, code, signal }
}

test('lines of a process that exits in the same turn are all written, in their order', async (t) => {
  const { messages, code } = await runLogging(`
    for (let i = 0; i < 20_000; i++) log.info(String(i))
    process.exit(3)`)
  t.is(code, 3)
  t.deepEqual(
    messages,
    Array.from({ length: 20_000 }, (_, i) => String(i))
  )
})

test('lines before an uncaught error are written', async (t) => {
  const { messages, code } = await runLogging(`log.info('before'); throw new Error('uncaught')`)
  t.not(code, 0)
  t.deepEqual(messages, ['before'])
})

test('an error is written before anything else happens, and what was logged before it too', async (t) => {
  const { messages, signal } = await runLogging(`
    log.info('before')
    log.error('the error')
    process.kill(process.pid, 'SIGKILL')`)
  t.is(signal, 'SIGKILL')
  t.deepEqual(messages, ['before', 'the error'])
})

test('a process whose log nobody reads any more goes on', async (t) => {
  const { code } = await runLogging(`
    import { closeSync, openSync } from 'node:fs'
    import { createLogLines } from ${JSON.stringify(logger.replace('logger.ts', 'log-lines.ts'))}
    const full = createLogLines(openSync('/dev/full', 'w'))
    full.write('a line')
    full.flushSync()
    process.exit(7)`)
  t.is(code, 7)
})
