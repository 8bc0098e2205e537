import anyTest, { type TestFn } from 'ava'
import { JobError } from '../../../lib/errors/job-error.ts'
import { parseUsd } from '../../../lib/money.ts'
import { type ChatStage, chatForFile, createLesson, joined, planned } from '../../helpers/chat.ts'

const test = anyTest as TestFn<{ stage: ChatStage }>
const { stage: newStage } = chatForFile(test as unknown as TestFn)

test.beforeEach(async (t) => {
  t.context.stage = await newStage()
})

/** A model that wants to look up more than it may, and writes as long as it is let. */
function neverContent(stage: ChatStage): void {
  const reads = Array.from({ length: 40 }, (_, at) =>
    planned.read({ tool: 'search_knowledge_base', query: `look ${at}` })
  )
  stage.plan({ agent: 'tutor', reads }, null)
  stage.answer({ content: 'word '.repeat(10_000), times: null })
}

const billed = ({ provider }: ChatStage) => {
  const { promptTokens, completionTokens } = provider.invoiceTotals()
  const costPico = provider.invoice().reduce((sum, { costUsd }) => sum + parseUsd(costUsd), 0n)
  return { tokens: promptTokens + completionTokens, completionTokens, costPico }
}

test('a model that looks things up without end is stopped after so many steps, and answers with what it has', async (t) => {
  const { stage } = t.context
  neverContent(stage)
  stage.provider.script({ match: (_last, call) => call.format.kind === 'text', content: 'This is what I have.' })
  const { result } = await stage.ask({ message: 'Go on', agent: 'tutor' })
  t.is(result.steps.length, 12)
  t.is(result.steps.at(-1)?.node, 'finish')
})

test('the steps of a run can be fewer', async (t) => {
  const { stage } = t.context
  stage.plan({
    reads: [
      planned.read({ tool: 'list_goals' }),
      planned.read({ tool: 'list_tasks' }),
      planned.read({ tool: 'list_code_snapshots' })
    ]
  })
  stage.answer({ content: 'This is what I have.' })
  const id = await stage.submitChat({ message: 'Go on', agent: 'tutor' })
  const job = await stage.deliverChat(id, stage.processor({ limits: { steps: 6 } }))
  t.like(job.result, { limitReached: 'steps', message: { content: 'This is what I have.' } })
  t.is((job.result as { steps: unknown[] }).steps.length, 6)
})

for (const tokens of [500, 2_500, 4_000, 6_000, 12_000]) {
  test(`no more than ${tokens} tokens are used`, async (t) => {
    const { stage } = t.context
    await createLesson(stage)
    neverContent(stage)
    const id = await stage.submitChat({ message: 'Go on', agent: 'auto' })
    const job = await stage.deliverChat(id, stage.processor({ limits: { tokens, steps: 100 } }))
    t.is(job.status, 'completed')
    t.like(job.result, { limitReached: 'tokens' })
    t.true(billed(stage).tokens <= tokens)
    t.is(job.usage.totalTokens, billed(stage).tokens)
  })
}

for (const maxCostUsd of [0.000_000_1, 0.000_05, 0.000_3, 0.000_6, 0.001, 0.002]) {
  test(`no more than ${maxCostUsd} USD are spent`, async (t) => {
    const { stage } = t.context
    await createLesson(stage)
    await stage.embedAll()
    neverContent(stage)
    const id = await stage.submitChat({ message: 'What is a closure?', agent: 'auto', maxCostUsd })
    const job = await stage.deliverChat(id, stage.processor({ limits: { steps: 100, tokens: 1_000_000 } }))
    t.is(job.status, 'completed')
    t.like(job.result, { limitReached: 'cost' })
    t.true(billed(stage).costPico <= parseUsd(maxCostUsd), `${billed(stage).costPico}`)
    t.is(parseUsd(job.usage.costUsd), billed(stage).costPico)
  })
}

for (const maxOutputTokens of [1, 7, 40, 200]) {
  test(`no more than ${maxOutputTokens} tokens are written`, async (t) => {
    const { stage } = t.context
    stage.provider.script({ match: (_last, call) => call.format.kind === 'text', content: 'word '.repeat(1_000) })
    const { result, job } = await stage.ask({ message: 'Write a lot', maxOutputTokens })
    t.is(result.limitReached, 'tokens')
    t.true(billed(stage).completionTokens <= maxOutputTokens)
    t.true(result.message.content.length > 0)
    t.is(joined(stage.told(job.id)), result.message.content)
  })
}

test('a run that takes too long ends with the text it has', async (t) => {
  const { stage } = t.context
  stage.provider.settings.set({ tokenMs: 100 })
  stage.answer({ content: 'one two three four five six seven eight nine ten '.repeat(100) })
  const id = await stage.submitChat({ message: 'Count', agent: 'tutor' })
  const job = await stage.deliverChat(id, stage.processor({ limits: { timeMs: 30_000 } }))
  t.is(job.status, 'completed')
  t.like(job.result, { limitReached: 'time' })
  const { content } = (job.result as { message: { content: string } }).message
  t.regex(content, /^one two three/)
  t.is(joined(stage.told(id)), content)
})

test('money that a lost call may have cost is taken off the purse', async (t) => {
  const { stage } = t.context
  const message = 'What is a closure?'
  const maxCostUsd = 0.003
  stage.answer({ content: 'A closure remembers. '.repeat(300), times: null })
  stage.provider.fail({ kind: 'reset', billed: true, path: 'chat' })
  const id = await stage.submitChat({ message, agent: 'tutor', maxCostUsd })
  t.is((await stage.deliverChat(id)).status, 'queued')
  let job = await stage.deliverChat(id)
  while (job.status === 'queued') job = await stage.deliverChat(id)
  t.is(job.status, 'completed')
  t.true(billed(stage).costPico <= parseUsd(maxCostUsd))
})

test("a run that uses up its user's budget ends with what it has", async (t) => {
  const { stage } = t.context
  await createLesson(stage)
  await stage.embedAll()
  const exhausted = new JobError('budget_exhausted', 'the budget is used up', { retryable: false })
  const chat: typeof stage.models.chat = async (call) => {
    if (call.step === 'respond') throw exhausted
    return await stage.models.chat(call)
  }
  const id = await stage.submitChat({ message: 'What is a closure?', agent: 'tutor' })
  const job = await stage.deliverChat(id, stage.processor({ models: { ...stage.models, chat } }))
  t.is(job.status, 'completed')
  t.like(job.result, { limitReached: 'cost' })
  t.regex((job.result as { message: { content: string } }).message.content, /limit on the cost.*\n\nThese sources/)
})

test('an answer within its limits reaches none', async (t) => {
  const { stage } = t.context
  const { result } = await stage.ask({ message: 'What is a closure?', maxCostUsd: 1, maxOutputTokens: 2_000 })
  t.is(result.limitReached, null)
})
