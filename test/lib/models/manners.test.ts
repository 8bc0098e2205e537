import { type MannerName, mannerNames, manners, type OfflineProvider } from '@goals/offline-provider'
import test from 'ava'
import { createModels, createOpenAi } from '../../../lib/models/client.ts'
import { createDialect } from '../../../lib/models/dialect.ts'
import { createProviderGuard } from '../../../lib/models/provider-guard.ts'
import type { JobError } from '../../../lib/errors/job-error.ts'
import { contextForFile } from '../../helpers/context.ts'
import { nextRun, offlineModels, runningJob } from '../../helpers/models.ts'

const context = contextForFile(test)
const signal = new AbortController().signal
const messages = [{ role: 'user' as const, content: 'What is a closure?' }]
const said = 'Closures remember: `let a` stays, 😀 and all.'
const maxOutputTokens = 200

const callsOf = async (jobId: string) =>
  await context()
    .knex('model_calls as c')
    .join('model_call_shares as s', 's.call_id', 'c.id')
    .where('s.job_id', jobId)
    .orderBy('c.id')
    .select('c.*')

const heldOf = async (jobId: string) => {
  const row = await context().knex('jobs').where({ id: jobId }).first('reserved_pico')
  return BigInt(row?.reserved_pico ?? 0)
}

const ways = [
  { name: 'as a stream', streams: true },
  { name: 'whole', streams: false }
] as const

const endless = mannerNames.filter((name) => name.startsWith('endless') || name === 'limit-ignored')
const failing = new Map<MannerName, string>([
  ['error-401-in-body', 'provider_refused'],
  ['error-429-in-body', 'provider_unavailable'],
  ['error-in-stream', 'provider_unavailable'],
  ['finish-error', 'provider_unavailable'],
  ['page', 'provider_malformed'],
  ['no-choice', 'provider_malformed']
])
const elsewhere = new Set<MannerName>([...endless, ...failing.keys(), 'packed-blanks', 'text-refused-with-nul'])
const forChat = mannerNames.filter(
  (name) => !elsewhere.has(name) && (manners[name].whole ?? manners[name].stream ?? manners[name].draft)
)

function stage(script: Parameters<OfflineProvider['script']>[0] = { content: said, times: null }) {
  const models = offlineModels(context())
  models.provider.script(script)
  return models
}

for (const { name: way, streams } of ways) {
  test.serial(
    `${way}: in whatever manner an answer comes, it is the same, booked once, and used by a later run`,
    async (t) => {
      for (const name of forChat) {
        const { provider, tracker, models } = stage()
        const job = await runningJob(context())
        provider.fail({ kind: 'manner', name, streams })
        let told = ''
        const onDelta = (text: string) => {
          told += text
        }
        const ask = (run: typeof job) =>
          tracker.runInScope(run, () => models.chat({ step: 'respond', messages, maxOutputTokens, signal, onDelta }))
        const answer = await ask(job)
        const isCut = name === 'think-open'
        const wanted = name === 'text-half-surrogate' ? answer.content : isCut ? '' : said
        t.is(answer.content, wanted, name)
        t.is(told.replace(/^The learner.*?\n\s*/s, ''), name === 'think-unopened' && streams ? said : told, name)
        if (name === 'text-half-surrogate') t.is(answer.content.replaceAll('\ufffd', ''), said, name)
        t.is(answer.refusal, null, name)

        const [line] = provider.invoice()
        const [call, ...others] = await callsOf(job.jobId)
        t.deepEqual(others, [], name)
        t.is(call.state, manners[name].tells ? 'settled' : 'estimated', name)
        const took = [line?.promptTokens, line?.completionTokens, line?.cachedTokens]
        const booked = [call.prompt_tokens, call.completion_tokens, call.cached_tokens].map(Number)
        if (manners[name].tells) t.deepEqual<unknown[], unknown[]>(booked, took, name)
        else {
          t.true(
            booked.every((tokens) => tokens >= 0 && tokens < 1_000),
            name
          )
          t.true((booked[0] as number) > 0 && (booked[1] as number) > 0, name)
        }
        t.true(BigInt(call.cost_pico) > 0n && (await heldOf(job.jobId)) >= 0n, name)

        const again = await ask(await nextRun(context(), job))
        t.deepEqual([again.content, again.reused], [answer.content, true], name)
        t.is(provider.invoice().length, 1, name)
      }
    }
  )

  test.serial(`${way}: what is no answer is booked, and asked for once more in a job at most`, async (t) => {
    for (const [name, code] of failing) {
      const { provider, tracker, models } = stage()
      const job = await runningJob(context())
      provider.settings.set({ faults: [{ kind: 'manner', name, streams, times: null }] })
      const ask = (run: typeof job) =>
        t.throwsAsync<JobError>(
          tracker.runInScope(run, () => models.chat({ step: 'respond', messages, maxOutputTokens, signal })),
          undefined,
          name
        )
      const first = await ask(job)
      t.is(first?.code, code, name)
      const call = (await callsOf(job.jobId))[0]
      t.is(call.error, code, name)
      const isFree = name.endsWith('-in-body') || (name === 'error-in-stream' && !streams)
      t.is(BigInt(call.cost_pico) === 0n, isFree, name)
      if (code !== 'provider_malformed') continue
      t.true(first?.retryable, name)
      const second = await ask(await nextRun(context(), job))
      t.deepEqual([second?.code, second?.retryable], [code, false], name)
    }
  })

  test.serial(`${way}: a limit that the provider ignores is kept here, and what was taken is booked`, async (t) => {
    for (const name of endless) {
      const { provider, tracker, models } = stage()
      const job = await runningJob(context())
      provider.fail({ kind: 'manner', name, streams })
      const answer = await tracker.runInScope(job, () =>
        models.chat({ step: 'respond', messages, maxOutputTokens: 50, signal })
      )
      if (streams || name !== 'endless-nothing') t.is(answer.finishReason, 'length', name)
      t.true(answer.content.startsWith(said), name)
      const [call] = await callsOf(job.jobId)
      const [line] = provider.invoice()
      const taken = Number(call.completion_tokens)
      if (streams) {
        t.true(line?.aborted, name)
        t.is(call.state, 'estimated', name)
        // The grant, what other vocabularies may need, and the chunk that went beyond it.
        t.true(taken <= 64, `${name}: ${taken}`)
        t.true(Math.abs(taken - Number(line?.completionTokens)) <= 8, `${name}: ${taken}, ${line?.completionTokens}`)
      } else {
        t.true(Math.abs(taken - Number(line?.completionTokens)) <= Number(line?.completionTokens) * 0.02, name)
      }
    }
  })

  test.serial(`${way}: every tool call is there once, with its own id, whoever numbered them how`, async (t) => {
    const made = [
      { name: 'create_goal', arguments: { title: 'Learn Rust', steps: [{ n: 1 }] } },
      { name: 'create_goal', arguments: { title: 'Learn Go {"x"}' } },
      { name: 'create_goal', arguments: { title: 'Learn Go {"x"}' } },
      { name: 'list_goals', arguments: {} }
    ]
    const parameters = { type: 'object' as const, properties: {}, additionalProperties: true }
    const tools = ['create_goal', 'list_goals'].map((name) => ({
      type: 'function' as const,
      function: { name, description: name, parameters }
    }))
    for (const name of mannerNames.filter((known) => known.startsWith('calls-') || known === 'text-with-nul')) {
      const { provider, tracker, models } = stage({ toolCalls: made, times: null })
      const job = await runningJob(context())
      provider.fail({ kind: 'manner', name, streams })
      const { toolCalls, finishReason } = await tracker.runInScope(job, () =>
        models.chat({ step: 'respond', messages, tools, maxOutputTokens, signal })
      )
      t.deepEqual(
        toolCalls.map((call) => ({ name: call.name, arguments: JSON.parse(call.arguments) as unknown })),
        made,
        name
      )
      t.is(new Set(toolCalls.map(({ id }) => id)).size, made.length, name)
      t.is(finishReason, 'tool_calls', name)
    }
  })
}

test.serial('a refusal that cannot be stored is one all the same', async (t) => {
  const { provider, tracker, models } = stage()
  const job = await runningJob(context())
  provider.fail({ kind: 'manner', name: 'text-refused-with-nul' })
  const answer = await tracker.runInScope(job, () => models.chat({ step: 'respond', messages, signal }))
  t.is(answer.refusal, 'I cannot say\ufffd.')
  t.is((await callsOf(job.jobId))[0].state, 'settled')
})

test.serial('once a model has ended a thought that it did not begin, nobody hears another', async (t) => {
  const { provider, tracker, models } = stage()
  provider.settings.set({ faults: [{ kind: 'manner', name: 'think-unopened', times: null }] })
  const ask = async () => {
    const pieces: string[] = []
    const job = await runningJob(context())
    const onDelta = (text: string) => void pieces.push(text)
    const answer = await tracker.runInScope(job, () => models.chat({ step: 'respond', messages, signal, onDelta }))
    return [answer.content, pieces.join('')]
  }
  t.is((await ask())[0], said)
  t.deepEqual(await ask(), [said, said])
})

test.serial('a packed body is measured as it is unpacked', async (t) => {
  const { provider, tracker } = stage()
  const { url, close } = await provider.listen()
  t.teardown(close)
  const { config, ledger, budgets, redis, prefix, log } = context()
  const models = createModels({
    openai: createOpenAi({ apiKey: undefined, baseUrl: url, timeoutMs: 30_000 }),
    config,
    tracker,
    ledger,
    budgets,
    guard: createProviderGuard({ redis, prefix: `${prefix}:packed`, limits: {}, log }),
    dialect: createDialect({ redis, prefix: `${prefix}:packed`, baseUrl: url, log }),
    log
  })
  const job = await runningJob(context())
  await tracker.runInScope(job, () => models.chat({ step: 'first', messages, signal }))
  provider.fail({ kind: 'manner', name: 'packed-blanks' })
  const before = process.memoryUsage().rss
  const error = await t.throwsAsync<JobError>(
    tracker.runInScope(job, () => models.chat({ step: 'respond', messages, signal }))
  )
  t.is(error?.code, 'provider_malformed')
  t.true(process.memoryUsage().rss - before < 128 * 1024 * 1024)
  t.is((await callsOf(job.jobId)).at(-1)?.state, 'estimated')
})

test("an error of ours is not called the provider's, and the answer that was paid for is used", async (t) => {
  const { provider, tracker, models } = stage()
  const job = await runningJob(context())
  const ask = (run: typeof job, onDelta: (text: string) => void) =>
    tracker.runInScope(run, () => models.chat({ step: 'respond', messages, signal, onDelta }))
  const failing = () => {
    throw new TypeError('a bug of ours')
  }
  await t.throwsAsync(ask(job, failing), { instanceOf: TypeError, message: 'a bug of ours' })
  t.is((await callsOf(job.jobId))[0].state, 'settled')
  const again = await ask(await nextRun(context(), job), () => undefined)
  t.deepEqual([again.content, again.reused], [said, true])
  t.is(provider.invoice().length, 1)
})
