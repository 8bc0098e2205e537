import anyTest, { type TestFn } from 'ava'
import { createCheckpoints, type Checkpoints } from '../../../workers/agents/checkpoints.ts'
import { type ChatStage, createChatStage, createLesson, joined } from '../../helpers/chat.ts'
import { contextForFile } from '../../helpers/context.ts'

const test = anyTest as TestFn<{ stage: ChatStage }>
const context = contextForFile(test as unknown as TestFn)
let checkpoints: Checkpoints | undefined

test.after.always(() => checkpoints?.close())
test.beforeEach(async (t) => {
  const { knex, log, isolation } = context()
  checkpoints ??= createCheckpoints({ databaseUrl: isolation.databaseUrl, schema: isolation.schema, knex, log })
  t.context.stage = await createChatStage(context(), { checkpoints })
})

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
  t.deepEqual([...new Set(cited)].toSorted(), result.citations.map(({ n }) => n).toSorted())
  t.deepEqual(
    result.steps
      .map(({ node }) => node)
      .filter((node) => node !== 'tools')
      .slice(0, 3),
    ['route', 'retrieve', 'respond']
  )
  t.is(joined(stage.told(job.id)), result.message.content)
})

test('two questions make one conversation, and the first is remembered', async (t) => {
  const { stage } = t.context
  const first = await stage.ask({ message: 'My name is Ada. Explain recursion.', agent: 'tutor' })
  let seen = ''
  stage.provider.script({
    match: (_last, call) => {
      seen = call.messages.map(({ text }) => text).join('\n')
      return true
    },
    content: 'You are Ada.'
  })
  const second = await stage.ask({ message: 'What is my name?', threadId: first.result.threadId, agent: 'tutor' })
  t.is(second.result.threadId, first.result.threadId)
  t.is(first.result.threadId, first.job.id)
  t.regex(seen, /My name is Ada/)
  const messages = await context().threadStore.messages(first.result.threadId, 10)
  t.deepEqual(
    messages.map(({ role }) => role),
    ['user', 'assistant', 'user', 'assistant']
  )
})
