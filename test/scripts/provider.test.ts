import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import test, { type ExecutionContext } from 'ava'
import OpenAI from 'openai'

const SCRIPT = resolve(import.meta.dirname, '../../scripts/provider.ts')

function run(t: ExecutionContext, ...args: string[]): ChildProcess {
  const child = spawn(process.execPath, [SCRIPT, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

async function firstUrl(child: ChildProcess): Promise<string> {
  let seen = ''
  for await (const part of child.stdout ?? []) {
    seen += String(part)
    const url = /https?:\/\/\S+\/v1/.exec(seen)?.[0]
    if (url) return url
  }
  throw new Error(`no URL in: ${seen}`)
}

test('the provider serves from a process of its own and ends in good order', async (t) => {
  const child = run(t, '--port', '0', '--api-key', 'sk-1', '--latency', '1')
  const baseURL = await firstUrl(child)
  const openai = new OpenAI({ apiKey: 'sk-1', baseURL, maxRetries: 0 })
  const { choices } = await openai.chat.completions.create({
    model: 'offline-chat-mini',
    messages: [{ role: 'user', content: 'hi' }]
  })
  t.regex(choices[0]?.message.content ?? '', /offline model/)
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  t.deepEqual(await ended, [0, null])
})

test('help names every option, and a wrong one is refused with a reason', async (t) => {
  const help = run(t, '--help')
  const shown = await text(help.stdout as NodeJS.ReadableStream & AsyncIterable<string>)
  for (const option of ['--port', '--latency', '--token-ms', '--rpm', '--tpm', '--api-key'])
    t.true(shown.includes(option))
  for (const args of [
    ['--port', 'x'],
    ['--latency', '-1'],
    ['--speed', '3']
  ]) {
    const child = run(t, ...args)
    const [code] = (await once(child, 'exit')) as [number]
    t.is(code, 2)
  }
})
