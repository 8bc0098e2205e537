import anyTest, { type TestFn } from 'ava'
import { parseUsd } from '../../../lib/usage/money.ts'
import { type ChatStage, chatForFile, createLesson, joined } from '../../helpers/chat.ts'

const test = anyTest as TestFn<{ stage: ChatStage }>
const { context, stage: newStage } = chatForFile(test as unknown as TestFn)

test.beforeEach(async (t) => {
  t.context.stage = await newStage()
})

const endless = { toolCalls: [{ name: 'list_goals', arguments: {} }], content: 'Looking on.', times: null }

/** A model that calls tools as long as it is offered any, and says something when it is not. */
function neverContent({ provider }: ChatStage): void {
  provider.script({ ...endless, match: (_last, call) => call.format.kind === 'text' && call.tools.length > 0 })
  provider.script({ match: (_last, call) => call.format.kind === 'text', content: 'This is what I have.', times: null })
}

const billed = ({ provider }: ChatStage) => {
  const { promptTokens, completionTokens } = provider.invoiceTotals()
  const costPico = provider.invoice().reduce((sum, { costUsd }) => sum + parseUsd(costUsd), 0n)
  return { tokens: promptTokens + completionTokens, completionTokens, costPico }
}

test('a model that calls tools without end is stopped after so many steps, and answers with what it has', async (t) => {
  const { stage } = t.context
  neverContent(stage)
  const { result } = await stage.ask({ message: 'Go on', agent: 'tutor' })
  t.is(result.limitReached, 'steps')
  t.is(result.message.content, 'This is what I have.')
  t.true(result.steps.length <= 12)
  t.is(result.steps.at(-1)?.node, 'finish')
})

test('the steps of a run can be fewer', async (t) => {
  const { stage } = t.context
  neverContent(stage)
  const id = await stage.submitChat({ message: 'Go on', agent: 'tutor' })
  const job = await stage.deliverChat(id, stage.processor({ limits: { steps: 6 } }))
  t.like(job.result, { limitReached: 'steps' })
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
  stage.provider.settings.set({ tokenMs: 20 })
  stage.provider.script({ content: 'one two three four five six seven eight nine ten '.repeat(100) })
  const id = await stage.submitChat({ message: 'Count', agent: 'tutor' })
  const job = await stage.deliverChat(id, stage.processor({ limits: { timeMs: 8_000 } }))
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
  stage.provider.script({ content: 'A closure remembers. '.repeat(300), times: null })
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
  const dailyPico = parseUsd('0.0099')
  await context().budgetStore.setBudget(stage.userId, { dailyPico, monthlyPico: null })
  stage.provider.script({ ...endless, content: 'word '.repeat(2_500), match: (_last, call) => call.tools.length > 0 })
  stage.provider.script({ content: 'This is what I have.' })
  const id = await stage.submitChat({ message: 'Go on', agent: 'tutor' })
  const job = await stage.deliverChat(id, stage.processor({ limits: { steps: 90, tokens: 1_000_000 } }))
  t.is(job.status, 'completed')
  t.like(job.result, { limitReached: 'cost' })
  t.true(billed(stage).costPico <= dailyPico)
})

test('an answer within its limits reaches none', async (t) => {
  const { stage } = t.context
  const { result } = await stage.ask({ message: 'What is a closure?', maxCostUsd: 1, maxOutputTokens: 2_000 })
  t.is(result.limitReached, null)
})
