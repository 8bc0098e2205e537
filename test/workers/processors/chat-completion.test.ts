import type { Message } from '@goals/offline-provider'
import anyTest, { type TestFn } from 'ava'
import { type ChatStage, chatForFile, createLesson, joined, planned } from '../../helpers/chat.ts'
import { newUser } from '../../helpers/context.ts'

const test = anyTest as TestFn<{ stage: ChatStage }>
const { context, stage: newStage } = chatForFile(test as unknown as TestFn)

test.beforeEach(async (t) => {
  t.context.stage = await newStage()
})

/** Counts how often the model is asked for a plan. */
function countPlans({ provider }: ChatStage): () => number {
  let count = 0
  provider.script({
    match: (_last, call) => {
      if (call.format.kind === 'json_schema' && call.format.name === 'plan') count++
      return false
    }
  })
  return () => count
}

/** What the model was told that tools answered and changes came to. */
const resultsIn = (messages: Message[]) =>
  [...(messages.at(-1)?.text ?? '').matchAll(/<tool_result tool="(\w+)">\n([\s\S]*?)\n<\/tool_result>/g)].map(
    ([, tool, content]) => [tool, content] as const
  )

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
  stage.answer({ content: 'Closures remember variables [1]. They are fast [99]. They are old.' })
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

test('a plan that cannot be read twice leaves the answer to the tutor, and changes nothing', async (t) => {
  const { stage } = t.context
  const plans = countPlans(stage)
  stage.provider.script({ system: 'Choose who answers', rawContent: '{"agent":"king"}', times: 2 })
  const { result } = await stage.ask({ message: 'Create a goal "Rule"', allowWrites: true })
  t.is(result.agent, 'tutor')
  t.is(plans(), 2)
  t.deepEqual(result.changes, [])
})

test('who was asked for answers, whatever the plan says', async (t) => {
  const { stage } = t.context
  stage.plan({ agent: 'planner' })
  const { result } = await stage.ask({ message: 'Make me a plan', agent: 'reviewer' })
  t.is(result.agent, 'reviewer')
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
  t.deepEqual(
    result.changes.map(({ type, title, action }) => [type, title, action]),
    [
      ['goal', 'Learn recursion', 'created'],
      ['task', 'Read about base cases', 'created'],
      ['task', 'Write a factorial', 'created']
    ]
  )
  t.is(result.model, stage.models.chatModel)
})

test('without leave nothing can be planned but looking things up, and what is planned all the same does nothing', async (t) => {
  const { stage } = t.context
  let schema = ''
  stage.provider.script({
    match: (_last, { format }) => {
      if (format.kind !== 'json_schema') return false
      schema = JSON.stringify(format.schema)
      return true
    },
    content: JSON.stringify({
      reads: [],
      creations: [planned.creation({ type: 'goal', titles: ['Sneaky'] })],
      changes: []
    }),
    times: 2
  })
  const seen = stage.answer({ toolCalls: [{ name: 'create_goal', arguments: { title: 'Sneaky' } }], content: 'No.' })
  const { result } = await stage.ask({ message: 'Create a goal', agent: 'planner' })
  t.false(/creations|changes/.test(schema))
  t.deepEqual(seen.tools, [])
  t.deepEqual(result.changes, [])
  t.is((await stage.records.goals.list(stage.person, { limit: 10 })).data.length, 0)
})

test('whoever answers is offered no tools, and calls of them do nothing', async (t) => {
  const { stage } = t.context
  await createLesson(stage)
  const seen = stage.answer({
    toolCalls: [
      { name: 'list_goals', arguments: {} },
      { name: 'create_goal', arguments: { title: 'x' } }
    ]
  })
  const { result } = await stage.ask({
    message: 'Create a goal called "Asked for"',
    agent: 'planner',
    allowWrites: true
  })
  t.deepEqual(seen.tools, [])
  t.deepEqual(
    result.changes.map(({ title }) => title),
    ['Asked for']
  )
  t.deepEqual(
    result.steps.map(({ node }) => node),
    ['route', 'retrieve', 'write', 'respond', 'finish']
  )
})

test('leave to write is not used when the message does not ask for changes', async (t) => {
  const { stage } = t.context
  await createLesson(stage)
  const { result } = await stage.ask({ message: 'What are my goals about?', allowWrites: true })
  t.deepEqual(result.changes, [])
})

test('a task is marked as completed, and its goal moves on, with the end of the run', async (t) => {
  const { stage } = t.context
  const { task, goal } = await createLesson(stage)
  let before = ''
  stage.provider.script({
    match: (_last, { format }) => {
      if (format.kind === 'text') before = 'asked'
      return format.kind === 'text'
    },
    content: 'Done.'
  })
  const { result } = await stage.ask({
    message: 'I have finished it, mark it as completed',
    agent: 'tutor',
    taskId: task.id,
    allowWrites: true
  })
  t.is(before, 'asked')
  t.is((await stage.records.tasks.find(stage.person, task.id)).status, 'completed')
  t.is((await stage.records.goals.find(stage.person, goal.id)).progress, 1)
  t.deepEqual(result.changes, [{ type: 'task', id: task.id, title: 'Write a counter', action: 'completed' }])
})

test('what is wrong with a plan is told to whoever answers', async (t) => {
  const { stage } = t.context
  const { goal } = await createLesson({
    records: stage.records,
    person: { id: await newUser(context()), role: 'user' }
  })
  const own = await createLesson(stage)
  await stage.records.run((trx) =>
    stage.records.tasks.create(trx, stage.person, { goalId: own.goal.id, title: 'Write a counter', status: 'pending' })
  )
  stage.plan({
    reads: [
      planned.read({ tool: 'get_goal', record: goal.id }),
      planned.read({ tool: 'get_course_documentation', query: 'closures' }),
      planned.read({ tool: 'list_tasks', status: 'archived' })
    ],
    creations: [
      planned.creation({ type: 'task', titles: ['In a foreign goal'], goal: goal.id }),
      planned.creation({ type: 'goal', titles: ['', 'Second'], due: 'tomorrow' })
    ],
    changes: [
      planned.change({ type: 'task', record: 'write a counter', status: 'completed' }),
      planned.change({ type: 'goal', record: 'understand functions' }),
      planned.change({ type: 'goal', record: 'understand functions', status: 'pending' })
    ]
  })
  const seen = stage.answer({ content: 'Nothing worked.' })
  const { result } = await stage.ask({
    message: `Try everything with "write a counter", "understand functions" and ${goal.id}`,
    agent: 'planner',
    allowWrites: true
  })
  const told = resultsIn(seen.messages).map(([tool, content]) => `${tool}: ${content}`)
  t.is(told.length, 8)
  t.regex(told[0] ?? '', /no goal of theirs by that name/)
  t.regex(told[1] ?? '', /invalid_arguments.*courseId/)
  t.regex(told[2] ?? '', /invalid_arguments.*status/)
  t.regex(told[3] ?? '', /create_task:.*no goal of theirs by that name/)
  t.regex(told[4] ?? '', /create_goal:.*title/)
  t.regex(told[5] ?? '', /several tasks may be meant/)
  t.regex(told[6] ?? '', /has to say what it is to be changed to/)
  t.regex(told[7] ?? '', /update_goal:.*status/)
  t.deepEqual(result.changes, [])
})

test('a record is meant by its title, by a part of it, or by its id', async (t) => {
  const { stage } = t.context
  const { task, goal } = await createLesson(stage)
  for (const [record, status] of [
    ['the task “Write a Counter”', 'completed'],
    ['counter', 'pending'],
    ['la tarea', 'completed'],
    [task.id, 'pending']
  ] as const) {
    stage.plan({ changes: [planned.change({ type: 'task', record, status })] })
    const { result } = await stage.ask({
      message: record,
      agent: 'planner',
      goalId: goal.id,
      allowWrites: true
    })
    t.deepEqual(
      result.changes.map(({ id, action }) => [id, action]),
      [[task.id, status === 'completed' ? 'completed' : 'updated']],
      record
    )
  }
})

test('what tools find can be cited under the number it was told with', async (t) => {
  const { stage } = t.context
  const { goal } = await createLesson(stage)
  const seen = stage.answer({ content: 'You have one goal [1].' })
  const { result } = await stage.ask({ message: 'Which goals have I?', agent: 'planner' })
  const [[tool, told = ''] = []] = resultsIn(seen.messages)
  t.is(tool, 'list_goals')
  t.like(JSON.parse(told), { goals: [{ n: 1, id: goal.id, title: 'Understand functions' }] })
  t.deepEqual(
    result.steps.map(({ node, tool: name }) => name ?? node),
    ['route', 'retrieve', 'list_goals', 'respond', 'finish']
  )
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
  const seen = stage.answer({ content: 'Line 2 is fine [1].' })
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
  stage.answer({ content: 'Hello Ada [1].' })
  const first = await stage.ask({ message: 'My name is Ada.', agent: 'tutor' })
  const seen = stage.answer({ content: 'You are Ada.' })
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
  const first = await stage.ask({ message: 'Let us probePort about bees.', agent: 'tutor' })
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
  const seen = stage.answer({ content: 'Bees.' })
  await stage.ask({ message: 'What was it about?', threadId, agent: 'tutor' })
  t.regex(seen.messages[0]?.text ?? '', /<summary>\nThey talked about bees\.\n<\/summary>/)
  const told = seen.messages.slice(1, -1)
  t.true(told.length >= 2 && told.length < 10)
  t.is(told[0]?.role, 'user')
  const thread = await knex('threads').where({ id: threadId }).first()
  t.is(thread.summary, 'They talked about bees.')
  t.is(thread.summarised_through, 14 - told.length)

  const again = stage.answer({ content: 'Bees again.' })
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
    match: (_last, { format }) => {
      if (format.kind !== 'text') return false
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
