import type { MannerName } from '@goals/offline-provider'
import test from 'ava'
import type { ChatCall } from '../../../lib/models/client.ts'
import { contextForFile } from '../../helpers/context.ts'
import { offlineModels, runningJob } from '../../helpers/models.ts'

const context = contextForFile(test)
const signal = new AbortController().signal
const messages = [
  { role: 'system' as const, content: 'You are a tutor.' },
  { role: 'user' as const, content: 'What is a closure?' }
]
const responseFormat = {
  name: 'verdict',
  schema: {
    type: 'object',
    properties: { verdict: { type: 'string', enum: ['pass', 'fail'] } },
    required: ['verdict'],
    additionalProperties: false
  }
}
const tools: ChatCall['tools'] = [
  { type: 'function', function: { name: 'list_goals', description: 'Lists goals', parameters: { type: 'object' } } }
]

function client(name: MannerName) {
  return offlineModels(context(), { provider: { faults: [{ kind: 'manner', name, times: null }] } })
}

/** A chat of each kind: streamed, whole, with tools, and with a schema. */
async function askAll({ models, tracker }: ReturnType<typeof client>) {
  const job = await runningJob(context())
  const ask = (step: string, call: Partial<ChatCall>) =>
    tracker.runInScope(job, () => models.chat({ step, messages, signal, maxOutputTokens: 200, ...call }))
  let told = ''
  const streamed = await ask('streamed', { onDelta: (text) => void (told += text) })
  const whole = await ask('whole', {})
  const calling = await ask('tools', { tools, toolChoice: 'auto', parallelToolCalls: false })
  const structured = await ask('schema', { responseFormat })
  return { job, told, streamed, whole, calling, structured }
}

for (const name of [
  'refuses-max-completion-tokens',
  'refuses-limits',
  'refuses-stream-options',
  'refuses-streaming',
  'refuses-parallel-tool-calls',
  'refuses-tool-choice',
  'refuses-response-format',
  'refuses-all-at-once',
  'refuses-one-by-one'
] as const) {
  test.serial(`${name}: asked once more without it, remembered, and a refusal costs nothing`, async (t) => {
    const server = client(name)
    const { job, told, streamed, whole, structured } = await askAll(server)
    t.true(streamed.content.length > 0)
    t.is(told, streamed.content)
    t.is(whole.content, streamed.content)
    t.true(['pass', 'fail'].includes((JSON.parse(structured.content) as { verdict: string }).verdict))

    const invoice = server.provider.invoice()
    const refused = invoice.filter(({ status }) => status !== 200)
    t.true(refused.length >= 1)
    const calls = await context()
      .knex('model_calls as c')
      .join('model_call_shares as s', 's.call_id', 'c.id')
      .where('s.job_id', job.jobId)
      .select('c.id', 'c.state', 'c.cost_pico', 'c.prompt_tokens', 'c.completion_tokens')
    t.is(calls.length, invoice.length)
    for (const line of invoice) {
      const call = calls.find(({ id }) => id === line.clientRequestId)
      if (line.status !== 200) t.like(call, { state: 'settled', cost_pico: '0' })
      else if (call?.state === 'settled') t.is(Number(call.prompt_tokens), line.promptTokens)
    }

    await askAll(server)
    const later = server.provider.invoice().slice(invoice.length)
    t.is(later.length, 4)
    t.true(later.every(({ status }) => status === 200))
  })
}

test.serial('a limit that is too large for one request is left out of that one alone', async (t) => {
  const server = client('limit-too-large')
  await askAll(server)
  t.is(server.provider.invoice().filter(({ status }) => status === 400).length, 4)
  t.is(server.provider.invoice().filter(({ status }) => status === 200).length, 4)
})

test.serial('what helps nobody is asked once, said plainly and not remembered', async (t) => {
  const { models, tracker, provider } = client('no-tools')
  const job = await runningJob(context())
  const ask = () => tracker.runInScope(job, () => models.chat({ step: 'x', messages, tools, signal }))
  await t.throwsAsync(ask(), { message: /answered 400/ })
  t.is(provider.invoice().length, 1)
})

test.serial('a text that quotes a parameter is no reason to ask all others without it', async (t) => {
  const body = { error: { message: "Unsupported text: 'stream_options is not supported'", param: null } }
  const { models, tracker, provider } = offlineModels(context(), {
    provider: { faults: [{ kind: 'status', status: 400, body, contains: 'odd', times: null }] }
  })
  const job = await runningJob(context())
  const ask = (step: string, content: string) =>
    tracker.runInScope(job, () => models.chat({ step, messages: [{ role: 'user', content }], signal }))
  await t.throwsAsync(ask('odd', 'odd: stream_options'), { message: /answered 400/ })
  t.is(provider.invoice().length, 2)
  const { usage } = await ask('fine', 'What is a closure?')
  t.is(usage.promptTokens, provider.invoice()[2]?.promptTokens ?? 0)
})
