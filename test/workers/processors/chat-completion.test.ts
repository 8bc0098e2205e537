import anyTest, { type TestFn } from 'ava'
import type { Message } from '../../../lib/models/offline/chat-types.ts'
import type { ScriptedCompletion } from '../../../lib/models/offline/scripts.ts'
import { type ChatStage, chatForFile, createLesson, joined } from '../../helpers/chat.ts'
import { newUser } from '../../helpers/context.ts'

const test = anyTest as TestFn<{ stage: ChatStage }>
const { context, stage: newStage } = chatForFile(test as unknown as TestFn)

test.beforeEach(async (t) => {
  t.context.stage = await newStage()
})

/** Scripts an answer and hands over the messages it was given for. */
function script({ provider }: ChatStage, completion: ScriptedCompletion): { messages: Message[]; tools: string[] } {
  const seen = { messages: [] as Message[], tools: [] as string[] }
  provider.script({
    ...completion,
    match: (_last, call) => {
      if (call.format.kind === 'json_schema') return false
      seen.messages = call.messages
      seen.tools = call.tools.map(({ name }) => name)
      return true
    }
  })
  return seen
}

/** Counts how often the model is asked to choose who answers. */
function countRoutes({ provider }: ChatStage): () => number {
  let count = 0
  provider.script({
    match: (_last, call) => {
      if (call.format.kind === 'json_schema' && call.format.name === 'route') count++
      return false
    }
  })
  return () => count
}

const toldOf = (messages: Message[]) => messages.filter(({ role }) => role === 'tool').map(({ text }) => text)

test('a tutor answers from the course, and says which passages it used', async (t) => {
  const { stage } = t.context
  const { course, closures } = await createLesson(stage)
  await stage.embedAll()
  const { result, job } = await stage.ask({ message: 'What is a closure?', courseId: course.id })
  t.is(result.agent, 'tutor')
  t.is(result.limitReached, null)
  t.true(result.citations.some(({ sourceId }) => sourceId === closures.id))
  t.regex(result.message.content, /closure/i)
  const cited = [...result.message.content.matchAll(/\[(\d+)\]/g)].map(([, n]) => Number(n))
  t.deepEqual(new Set(cited), new Set(result.citations.map(({ n }) => n)))
  t.deepEqual(
    result.steps.map(({ node }) => node),
    ['route', 'retrieve', 'respond', 'finish']
  )
  t.is(joined(stage.told(job.id)), result.message.content)
})

test('citations of nothing are taken out, and sentences without a source are told', async (t) => {
  const { stage } = t.context
  const { course } = await createLesson(stage)
  await stage.embedAll()
  script(stage, { content: 'Closures remember variables [1]. They are fast [99]. They are old.' })
  const { result } = await stage.ask({ message: 'What is a closure?', courseId: course.id, agent: 'tutor' })
  t.is(result.message.content, 'Closures remember variables [1]. They are fast. They are old.')
  t.deepEqual(result.unsupported, ['They are fast.', 'They are old.'])
  t.deepEqual(
    result.citations.map(({ n }) => n),
    [1]
  )
})

for (const [message, agent] of [
  ['What is recursion?', 'tutor'],
  ['Make me a plan to learn recursion', 'planner'],
  ['Please review this code:\n```js\nlet a = 1\n```', 'reviewer']
] as const) {
  test(`the model chooses who answers: ${agent}`, async (t) => {
    const { result } = await t.context.stage.ask({ message })
    t.is(result.agent, agent)
  })
}

test('a route that cannot be read twice leaves the answer to the tutor', async (t) => {
  const { stage } = t.context
  const routes = countRoutes(stage)
  stage.provider.script({ system: 'Choose who answers', rawContent: '{"agent":"king"}', times: 2 })
  const { result } = await stage.ask({ message: 'Make me a plan' })
  t.is(result.agent, 'tutor')
  t.is(routes(), 2)
})

test('who was asked for answers, and nobody is asked to choose', async (t) => {
  const { stage } = t.context
  const routes = countRoutes(stage)
  const { result } = await stage.ask({ message: 'Make me a plan', agent: 'reviewer' })
  t.is(result.agent, 'reviewer')
  t.is(routes(), 0)
})

test('the planner creates a goal and its tasks when it is asked to and allowed to', async (t) => {
  const { stage } = t.context
  const { result } = await stage.ask({
    message: 'Create a goal "Learn recursion" with these tasks:\n- Read about base cases\n- Write a factorial',
    allowWrites: true
  })
  t.is(result.agent, 'planner')
  const goals = await stage.records.goals.list(stage.person, { limit: 10 })
  t.deepEqual(
    goals.data.map(({ title }) => title),
    ['Learn recursion']
  )
  const tasks = await stage.records.tasks.list(stage.person, { limit: 10, goalId: goals.data[0]?.id as string })
  t.deepEqual(tasks.data.map(({ title }) => title).toReversed(), ['Read about base cases', 'Write a factorial'])
  t.true(result.steps.some(({ tool }) => tool === 'create_goal'))
})

test('without leave there are no tools that write, and a call of one does nothing', async (t) => {
  const { stage } = t.context
  const first = script(stage, { toolCalls: [{ name: 'create_goal', arguments: { title: 'Sneaky' } }] })
  const second = script(stage, { content: 'I could not.' })
  await stage.ask({ message: 'Create a goal', agent: 'planner' })
  t.false(first.tools.some((name) => /create|update/.test(name)))
  t.regex(toldOf(second.messages)[0] ?? '', /"unknown_tool"/)
  t.is((await stage.records.goals.list(stage.person, { limit: 10 })).data.length, 0)
})

test('leave to write is not used when the message does not ask for changes', async (t) => {
  const { stage } = t.context
  stage.provider.script({
    system: 'Choose who answers',
    content: JSON.stringify({ agent: 'planner', changes: 'not_requested' })
  })
  const seen = script(stage, { content: 'Nothing to do.' })
  await stage.ask({ message: 'What are my goals about?', allowWrites: true })
  t.false(seen.tools.some((name) => /create|update/.test(name)))
})

test('a task is marked as completed, and its goal moves on, with the end of the run', async (t) => {
  const { stage } = t.context
  const { task, goal } = await createLesson(stage)
  script(stage, { toolCalls: [{ name: 'update_task', arguments: { taskId: task.id, status: 'completed' } }] })
  let before = ''
  stage.provider.script({
    afterTool: 'update_task',
    match: () => {
      before = 'asked'
      return true
    },
    content: 'Done.'
  })
  await stage.ask({ message: 'I have finished it, mark it as completed', agent: 'tutor', allowWrites: true })
  t.is(before, 'asked')
  t.is((await stage.records.tasks.find(stage.person, task.id)).status, 'completed')
  t.is((await stage.records.goals.find(stage.person, goal.id)).progress, 1)
})

test('what is wrong with a call is told to the model', async (t) => {
  const { stage } = t.context
  const { goal } = await createLesson({
    records: stage.records,
    person: { id: await newUser(context()), role: 'user' }
  })
  script(stage, {
    toolCalls: [
      { name: 'search_knowledge_base', arguments: { query: '', limit: 'many' } },
      { name: 'search_knowledge_base', arguments: '{"query":' },
      { name: 'launch_rocket', arguments: {} },
      { name: 'get_goal', arguments: { goalId: goal.id } },
      { name: 'create_task', arguments: { goalId: goal.id, title: 'In a foreign goal' } }
    ]
  })
  const after = script(stage, { content: 'Nothing worked.' })
  await stage.ask({ message: 'Try everything', agent: 'planner', allowWrites: true })
  const [wrong, broken, unknown, foreign, foreignTask] = toldOf(after.messages)
  t.regex(wrong ?? '', /invalid_arguments.*limit.*query/)
  t.regex(broken ?? '', /not valid JSON/)
  t.regex(unknown ?? '', /unknown_tool.*launch_rocket/)
  t.regex(foreign ?? '', /not_found/)
  t.regex(foreignTask ?? '', /goalId.*is not a goal of the user/)
})

test('what tools find can be cited under the number it was told with', async (t) => {
  const { stage } = t.context
  const { goal } = await createLesson(stage)
  script(stage, { toolCalls: [{ name: 'list_goals', arguments: {} }] })
  const after = script(stage, { content: 'You have one goal [1].' })
  const { result } = await stage.ask({ message: 'Which goals have I?', agent: 'planner' })
  t.like(JSON.parse(toldOf(after.messages)[0] ?? ''), { goals: [{ n: 1, id: goal.id, title: 'Understand functions' }] })
  t.like(result.citations, [{ n: 1, sourceType: 'goal', sourceId: goal.id, title: 'Understand functions' }])
})

test('the reviewer is given the latest code of the task with numbered lines', async (t) => {
  const { stage } = t.context
  const { task } = await createLesson(stage)
  await stage.records.run(async (trx) => {
    for (const source of ['first version', 'const a = 1\nconst b = 2']) {
      await stage.records.codeSnapshots.create(trx, stage.person, { language: 'javascript', source, taskId: task.id })
    }
  })
  await stage.embedAll()
  const seen = script(stage, { content: 'Line 2 is fine [1].' })
  const { result } = await stage.ask({ message: 'Review my code', agent: 'reviewer', taskId: task.id })
  t.regex(
    seen.messages.at(-1)?.text ?? '',
    /n="1" type="code_snapshot"[^>]*>\n```javascript\n1\| const a = 1\n2\| const b = 2\n```/
  )
  t.is(result.citations[0]?.sourceType, 'code_snapshot')
  t.true(seen.messages.at(-1)?.text.includes('makeCounter'))
})

test('two questions make one conversation, and the first is remembered', async (t) => {
  const { stage } = t.context
  script(stage, { content: 'Hello Ada [1].' })
  const first = await stage.ask({ message: 'My name is Ada.', agent: 'tutor' })
  const seen = script(stage, { content: 'You are Ada.' })
  const second = await stage.ask({ message: 'What is my name?', threadId: first.result.threadId, agent: 'tutor' })
  t.is(first.result.threadId, first.job.id)
  t.is(second.result.threadId, first.result.threadId)
  t.deepEqual(
    seen.messages.slice(1).map(({ role, text }) => [role, text]),
    [
      ['user', 'My name is Ada.'],
      ['assistant', 'Hello Ada.'],
      ['user', 'What is my name?']
    ]
  )
  const messages = await context().threadStore.messages(first.result.threadId, 10)
  t.deepEqual(
    messages.map(({ role }) => role),
    ['user', 'assistant', 'user', 'assistant']
  )
})

test('a long conversation is told as a summary and its latest messages, and the summary is kept', async (t) => {
  const { stage } = t.context
  const { threadStore: threads, transaction, knex } = context()
  const first = await stage.ask({ message: 'Let us talk about bees.', agent: 'tutor' })
  const { threadId } = first.result
  await transaction.transact(async (trx) => {
    for (let turn = 0; turn < 6; turn++) {
      const content = `Turn ${turn}: ${'bees dance in the sun and sing in the rain. '.repeat(70)}`
      await threads.append(trx, {
        threadId,
        userId: stage.userId,
        jobId: first.job.id.replace(/.{12}$/, String(turn).padStart(12, '0')),
        title: '',
        messages: [
          { role: 'user', content },
          { role: 'assistant', content }
        ]
      })
    }
  })
  stage.provider.script({ system: 'Summarise a conversation', content: 'They talked about bees.' })
  const seen = script(stage, { content: 'Bees.' })
  await stage.ask({ message: 'What was it about?', threadId, agent: 'tutor' })
  t.regex(seen.messages[0]?.text ?? '', /<summary>\nThey talked about bees\.\n<\/summary>/)
  const told = seen.messages.slice(1, -1)
  t.true(told.length >= 2 && told.length < 10)
  t.is(told[0]?.role, 'user')
  const thread = await knex('threads').where({ id: threadId }).first()
  t.is(thread.summary, 'They talked about bees.')
  t.is(thread.summarised_through, 14 - told.length)

  const again = script(stage, { content: 'Bees again.' })
  await stage.ask({ message: 'And now?', threadId, agent: 'tutor' })
  t.regex(again.messages[0]?.text ?? '', /They talked about bees/)
  t.is(again.messages.length, told.length + 4)
})

test('a thread that is gone when its job runs fails it for good', async (t) => {
  const { stage } = t.context
  const first = await stage.ask({ message: 'Hello', agent: 'tutor' })
  const id = await stage.submitChat({ message: 'Again', threadId: first.result.threadId })
  await context().threadStore.remove(stage.userId, first.result.threadId)
  const job = await stage.deliverChat(id)
  t.is(job.status, 'failed')
  t.like(job.error, { code: 'not_found', retryable: false })
})

test('a thread that is deleted while it is answered stays deleted, and the answer is given', async (t) => {
  const { stage } = t.context
  const { threadId } = (await stage.ask({ message: 'Hello', agent: 'tutor' })).result
  let deleted: Promise<unknown> | undefined
  stage.provider.script({
    match: () => {
      deleted ??= context().threadStore.remove(stage.userId, threadId)
      return true
    },
    content: 'Still here.'
  })
  const { result } = await stage.ask({ message: 'Are you there?', threadId, agent: 'tutor' })
  t.true(await deleted)
  t.is(result.message.content, 'Still here.')
  t.is(await context().threadStore.find(stage.userId, threadId), undefined)
})
