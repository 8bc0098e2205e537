import { execFile } from 'node:child_process'
import { createServer } from 'node:net'
import { createOfflineProvider, type Fault } from '@goals/offline-provider'
import test, { type ExecutionContext } from 'ava'
import { loadConfig } from '../../lib/config.ts'
import { examine } from '../../scripts/doctor/examine.ts'
import { printed, type Report } from '../../scripts/doctor/findings.ts'
import { contextForFile } from '../helpers/context.ts'
import { emptyFolder } from '../helpers/folders.ts'

const context = contextForFile(test)
const secret = 'sk-not-to-be-shown'

async function serviceEnv(t: ExecutionContext): Promise<Record<string, string>> {
  const { isolation } = context()
  return {
    DATABASE_URL: isolation.databaseUrl,
    DATABASE_SCHEMA: isolation.schema,
    REDIS_URL: isolation.redisUrl,
    REDIS_PREFIX: isolation.prefix,
    RABBITMQ_URL: isolation.rabbitmqUrl,
    DATA_DIR: await emptyFolder(t)
  }
}

/** What the doctor says of a provider with these faults, and services that are well. */
async function examined(t: ExecutionContext, faults: Fault[] = [], env: Record<string, string> = {}): Promise<Report> {
  const provider = createOfflineProvider({ faults, apiKey: secret })
  const { url, close } = await provider.listen()
  t.teardown(close)
  return await examine(
    loadConfig({
      ...(await serviceEnv(t)),
      OPENAI_BASE_URL: url,
      OPENAI_API_KEY: secret,
      CHAT_MODEL: 'offline-chat-mini',
      EMBEDDING_MODEL: 'offline-embedding-small',
      ...env
    })
  )
}

const always = (name: Extract<Fault, { kind: 'manner' }>['name']): Fault[] => [{ kind: 'manner', name, times: null }]

const find = ({ findings }: Report, area: string, name: string) =>
  findings.find((finding) => finding.area === area && finding.name.startsWith(name))

test.serial('a provider and services that are as they should be leave nothing to do', async (t) => {
  const report = await examined(t)
  t.deepEqual(
    report.findings.filter(({ state }) => state === 'todo'),
    []
  )
  t.true(report.ok)
  for (const [area, name] of [
    ['provider', 'chat'],
    ['provider', 'streaming'],
    ['provider', 'usage'],
    ['provider', 'tools'],
    ['provider', 'structured output'],
    ['provider', 'embeddings'],
    ['postgres', 'version'],
    ['postgres', 'pgvector'],
    ['postgres', 'connections'],
    ['postgres', 'clock'],
    ['postgres', 'migrations'],
    ['postgres', 'price of offline-chat-mini'],
    ['redis', 'eviction'],
    ['redis', 'persistence'],
    ['redis', 'clock'],
    ['rabbitmq', 'messages'],
    ['machine', 'disk']
  ] as const) {
    t.is(find(report, area, name)?.state, 'ok', `${area} ${name}`)
  }
  t.regex(find(report, 'provider', 'streaming')?.found ?? '', /piece by piece/)
  t.regex(printed(report), /Nothing has to be done\.$/)
})

test.serial('what a server refuses is named, and is nothing to be done', async (t) => {
  const report = await examined(t, always('refuses-all-at-once'))
  t.true(report.ok, printed(report))
  t.regex(find(report, 'provider', 'structured output')?.found ?? '', /by instructions/)
  const asked = find(report, 'provider', 'asked of offline-chat-mini')?.found ?? ''
  for (const name of ['max_completion_tokens', 'stream_options', 'parallel_tool_calls', 'response_format']) {
    t.true(asked.includes(name), asked)
  }
  t.regex(find(report, 'provider', 'asked of offline-embedding-small')?.found ?? '', /encoding_format/)
})

test.serial('what workers have learnt before is shown', async (t) => {
  const { createDialect } = await import('../../lib/models/dialect.ts')
  const provider = createOfflineProvider()
  const { url, close } = await provider.listen()
  t.teardown(close)
  const { redis, prefix, log } = context()
  await createDialect({ redis, prefix, baseUrl: url, log }).helped('offline-chat-mini', new Set(['tool_choice']))
  const env = { ...(await serviceEnv(t)), OPENAI_BASE_URL: url, CHAT_MODEL: 'offline-chat-mini' }
  const report = await examine(loadConfig({ ...env, EMBEDDING_MODEL: 'offline-embedding-small' }))
  t.regex(find(report, 'provider', 'asked of offline-chat-mini')?.found ?? '', /without tool_choice/)
})

test.serial('a model without tools, usage or the right width is said to be one', async (t) => {
  const noTools = await examined(t, always('no-tools'))
  t.like(find(noTools, 'provider', 'tools'), { state: 'todo' })
  t.regex(find(noTools, 'provider', 'tools')?.todo ?? '', /take tools/)
  t.false(noTools.ok)

  const untold = await examined(t, always('usage-missing'))
  t.regex(find(untold, 'provider', 'usage')?.found ?? '', /estimated/)
  t.true(untold.ok, printed(untold))

  const narrow = await examined(t, always('vectors-narrow'))
  t.regex(find(narrow, 'provider', 'embeddings')?.found ?? '', /768 dimensions where 1536/)
  t.regex(find(narrow, 'provider', 'embeddings')?.todo ?? '', /EMBEDDING_MODEL/)
})

test.serial('a wrong key, a wrong model and a model without a price say what to set', async (t) => {
  const key = await examined(t, [], { OPENAI_API_KEY: 'sk-another-key' })
  t.regex(find(key, 'provider', 'chat')?.todo ?? '', /OPENAI_API_KEY/)
  t.notRegex(JSON.stringify(key), /sk-another-key|sk-not-to/)
  const model = await examined(t, [], { CHAT_MODEL: 'no-such-model' })
  t.regex(find(model, 'provider', 'chat')?.todo ?? '', /CHAT_MODEL/)
  t.is(find(model, 'provider', 'embeddings')?.state, 'ok')
  t.like(find(model, 'postgres', 'price of no-such-model'), { state: 'todo' })
})

test.serial('it works without any service, and never shows a secret', async (t) => {
  const dead = await deadPort()
  const report = await examine(
    loadConfig({
      DATABASE_URL: `postgres://goals:${secret}@127.0.0.1:${dead}/goals`,
      REDIS_URL: `redis://:${secret}@127.0.0.1:${dead}/0`,
      RABBITMQ_URL: `amqp://goals:${secret}@127.0.0.1:${dead}`,
      OPENAI_BASE_URL: `http://127.0.0.1:${dead}/v1`,
      OPENAI_API_KEY: secret,
      DATA_DIR: await emptyFolder(t)
    })
  )
  t.false(report.ok)
  for (const area of ['provider', 'postgres', 'redis', 'rabbitmq']) {
    const { state, found = '', todo = '' } = find(report, area, 'reachable') ?? {}
    t.is(state, 'todo', area)
    t.regex(found, new RegExp(`127\\.0\\.0\\.1:${dead}`))
    t.true(todo.length > 10)
  }
  t.notRegex(printed(report) + JSON.stringify(report), new RegExp(secret))
})

test.serial('services that are not configured are started by npm start, and off is off', async (t) => {
  const report = await examine(loadConfig({ RABBITMQ_URL: 'off', DATA_DIR: await emptyFolder(t) }))
  t.true(report.ok)
  t.regex(find(report, 'postgres', 'address')?.found ?? '', /npm start/)
  t.regex(find(report, 'provider', 'address')?.found ?? '', /offline provider/)
  t.regex(find(report, 'rabbitmq', 'address')?.found ?? '', /off/)
})

test.serial('the command ends with 0, 1 or 2, in words or as JSON', async (t) => {
  const run = async (args: string[], env: Record<string, string>) =>
    await new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      const options = { env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE, ...env } }
      execFile(process.execPath, ['scripts/doctor.ts', ...args], options, (error, stdout, stderr) =>
        resolve({ code: Number(error?.code ?? 0), stdout, stderr })
      )
    })
  const good = await run(['--json'], await serviceEnv(t))
  t.is(good.code, 0, good.stdout + good.stderr)
  t.true((JSON.parse(good.stdout) as Report).ok)
  const bad = await run([], { ...(await serviceEnv(t)), PORT: 'many', REDIS_URL: 'http://x' })
  t.is(bad.code, 1)
  t.regex(bad.stdout, /DO {2}variable: PORT must be/)
  t.regex(bad.stdout, /2 things have to be done/)
  t.regex((await run(['--help'], {})).stdout, /npm run doctor/)
  t.is((await run(['--nonsense'], {})).code, 2)
})

/** A port on which nobody listens. */
async function deadPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
