import { type MannerName, mannerNames, manners } from '@goals/offline-provider'
import anyTest, { type TestFn } from 'ava'
import { createSyntaxChecker } from '../../../lib/code/syntax-checker.ts'
import type { ChatResult } from '../../../lib/schemas/chat.ts'
import { createValidationResults } from '../../../lib/store/jobs/validation-results.ts'
import type { Processor } from '../../../workers/processor.ts'
import { codeValidationProcessor } from '../../../workers/processors/code-validation.ts'
import { createAgentStage } from '../../helpers/agents.ts'
import { createChatStage } from '../../helpers/chat.ts'
import { contextForFile, newUser } from '../../helpers/context.ts'

const test = anyTest as TestFn
const context = contextForFile(test)
const syntax = createSyntaxChecker({ baseMs: 20_000 })
test.after.always(() => syntax.close())

const readable = mannerNames.filter(
  (name) =>
    /^(?:usage|think|reasoning|content|text-with|choice|delta|message|no-(?!choice)|empty|single|carriage|lines|json)/.test(
      name
    ) &&
    name !== 'think-open' &&
    (manners[name].whole ?? manners[name].stream ?? manners[name].draft ?? manners[name].request) !== undefined
)

async function validate(faults: { name: MannerName; times?: number | null }[]) {
  const stage = createAgentStage(context())
  const userId = await newUser(context())
  stage.provider.settings.set({ faults: faults.map((fault) => ({ kind: 'manner', times: null, ...fault })) })
  const id = await stage.submit(userId, 'code_validation', { language: 'js', source: 'var a = 1\n' })
  const processor = codeValidationProcessor({
    models: stage.models,
    access: stage.records.access,
    syntax,
    results: createValidationResults(context())
  }) as Processor<never>
  const deliver = async () => {
    await context().knex('jobs').where({ id, status: 'queued' }).update({ run_at: context().knex.fn.now() })
    return await stage.deliver(id, 'code_validation', processor)
  }
  return { stage, deliver }
}

test.serial('code is validated in whatever manner the judgement comes', async (t) => {
  for (const name of readable) {
    const { stage, deliver } = await validate([{ name }])
    const job = await deliver()
    t.is(job.status, 'completed', `${name}: ${JSON.stringify(job.error)}`)
    t.is(stage.provider.invoice().length, 1, name)
  }
})

test.serial(
  'code is validated by a server that refuses parameters of the request, and by one without schemas',
  async (t) => {
    const refusing = mannerNames.filter((name) => /^refuses-(?!encoding)/.test(name))
    t.true(refusing.includes('refuses-response-format'))
    for (const name of refusing) {
      const { stage, deliver } = await validate([{ name }])
      const job = await deliver()
      t.is(job.status, 'completed', `${name}: ${JSON.stringify(job.error)}`)
      t.true(['pass', 'needs_work', 'fail'].includes((job.result as { verdict: string }).verdict), name)
      // What is refused costs nothing.
      t.is(stage.provider.invoice().filter(({ completionTokens }) => completionTokens > 0).length, 1, name)
    }
  }
)

test.serial('a judgement that goes on beyond its limit is asked for once more, shorter', async (t) => {
  const { stage, deliver } = await validate([{ name: 'limit-ignored', times: 1 }])
  t.is((await deliver()).status, 'completed')
  t.is(stage.provider.invoice().length, 2)
  t.true((stage.provider.invoice()[0]?.completionTokens ?? 0) < 5_000)
})

test.serial('a judgement that nobody can read is paid for twice, and no more', async (t) => {
  const { stage, deliver } = await validate([{ name: 'page' }])
  t.is((await deliver()).status, 'queued')
  const job = await deliver()
  t.is(job.status, 'failed')
  t.like(job.error, { code: 'provider_malformed', retryable: false })
  t.is(stage.provider.invoice().length, 2)
})

test.serial('a provider that ignores every limit takes no more than the learner allowed', async (t) => {
  const stage = await createChatStage(context())
  stage.provider.settings.set({ faults: [{ kind: 'manner', name: 'limit-ignored', times: null }] })
  const id = await stage.submitChat({ message: 'What is a closure?', agent: 'tutor', maxOutputTokens: 50 })
  const job = await stage.deliverChat(id)
  t.is(job.status, 'completed', JSON.stringify(job.error))
  const result = job.result as ChatResult
  t.is(result.limitReached, 'tokens')
  const produced = stage.provider.invoice().reduce((sum, line) => sum + line.completionTokens, 0)
  t.true(produced < 120, `${produced}`)

  const cheap = await stage.submitChat({ message: 'What is a closure?', agent: 'tutor', maxCostUsd: 0.001 })
  const costly = await stage.deliverChat(cheap)
  t.is(costly.status, 'completed', JSON.stringify(costly.error))
  t.true(Number(costly.usage.costUsd) <= 0.001, costly.usage.costUsd)
  t.not((costly.result as ChatResult).limitReached, null)
})

test.serial('thoughts are in no answer, no delta and no history', async (t) => {
  for (const name of [
    'think-tags',
    'reasoning-content',
    'reasoning-field',
    'thinking-parts',
    'think-unopened'
  ] as const) {
    const stage = await createChatStage(context())
    stage.provider.settings.set({ faults: [{ kind: 'manner', name, times: null }] })
    const { job, result } = await stage.ask({ message: 'What is a closure?', agent: 'tutor' })
    const kept = await context().knex('thread_messages').where({ job_id: job.id }).pluck('content')
    const shown = stage.told(job.id)?.at(-1)?.entries ?? []
    const from = shown.lastIndexOf('reset') + 1
    for (const text of [JSON.stringify(result), JSON.stringify(kept), JSON.stringify(shown.slice(from))]) {
      t.notRegex(text, /Secret|think>/, name)
    }
    t.true(result.message.content.length > 5, name)
  }
})
