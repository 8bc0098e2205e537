import { randomUUID } from 'node:crypto'
import anyTest, { type TestFn } from 'ava'
import { createDeltaFeed } from '../../../lib/events/delta-feed.ts'
import { createDeltas } from '../../../lib/events/deltas.ts'
import type { ChatResult } from '../../../lib/schemas/chat.ts'
import { type Checkpoints, createCheckpoints } from '../../../workers/agents/checkpoints.ts'
import { type ChatStage, chatForFile, createLesson, joined, planned } from '../../helpers/chat.ts'
import { eventually } from '../../helpers/context.ts'

const test = anyTest as TestFn<{ stage: ChatStage }>
const { context, stage: newStage } = chatForFile(test as unknown as TestFn)

test.beforeEach(async (t) => {
  t.context.stage = await newStage()
})

const calls = ({ provider }: ChatStage) => provider.invoice().filter(({ path }) => path.endsWith('/chat/completions'))

/** Delivers a job until it has ended: what failed is tried again a little later. */
const untilEnded = (stage: ChatStage, id: string) =>
  eventually(async () => {
    const job = await stage.deliverChat(id)
    return ['completed', 'failed', 'cancelled'].includes(job.status) && job
  }, 60_000)

const createsTask = { creations: [planned.creation({ type: 'task', titles: ['Only once'] })] }

test('a run that failed in the middle goes on from there: tools act once, nothing is paid twice', async (t) => {
  const { stage } = t.context
  const { goal } = await createLesson(stage)
  stage.plan(createsTask)
  stage.answer({ content: 'Done.' })
  const id = await stage.submitChat({ message: 'Make a task', agent: 'planner', allowWrites: true })
  stage.provider.fail({ kind: 'status', status: 503, contains: 'will be saved together' })
  t.is((await stage.deliverChat(id)).status, 'queued')
  t.is((await stage.records.tasks.list(stage.person, { limit: 10, goalId: goal.id })).data.length, 1)

  const job = await untilEnded(stage, id)
  t.is(job.status, 'completed')
  t.is(job.attempts, 2)
  const tasks = await stage.records.tasks.list(stage.person, { limit: 10, goalId: goal.id })
  t.is(tasks.data.filter(({ title }) => title === 'Only once').length, 1)
  t.deepEqual(
    calls(stage).map(({ status }) => status),
    [200, 503, 200]
  )
})

type Kept = { method: string; count: number; state: { draft?: string } }

/** Checkpoints whose saver breaks once, when `breaks` says so: as a process that ends there. */
function breaking(inner: Checkpoints, breaks: (kept: Kept) => boolean): Checkpoints {
  let broken = false
  let count = 0
  return {
    ...inner,
    async saver() {
      const saver = await inner.saver()
      return new Proxy(saver, {
        get(target, name) {
          const member = Reflect.get(target, name) as unknown
          if (typeof member !== 'function') return member
          if (name !== 'put' && name !== 'putWrites') return member.bind(target)
          return async (...args: unknown[]) => {
            const state = name === 'put' ? (args[1] as { channel_values: object }).channel_values : {}
            if (!broken && breaks({ method: name, count: ++count, state })) {
              broken = true
              throw new Error('the process ended here')
            }
            return (await Reflect.apply(member, target, args)) as unknown
          }
        }
      })
    }
  }
}

for (let at = 1; at <= 13; at++) {
  test(`wherever a process ends, nothing is done or paid twice: after ${at} writes of the checkpointer`, async (t) => {
    const { isolation, knex, log } = context()
    const inner = createCheckpoints({ databaseUrl: isolation.databaseUrl, schema: isolation.schema, knex, log })
    t.teardown(inner.close)
    const stage = await newStage({ checkpoints: breaking(inner, ({ count }) => count === at) })
    const { goal } = await createLesson(stage)
    stage.plan(createsTask)
    stage.answer({ content: 'Functions return values [1].' })
    const id = await stage.submitChat({ message: 'Make a task', agent: 'planner', goalId: goal.id, allowWrites: true })
    const job = await untilEnded(stage, id)
    t.is(job.status, 'completed')
    t.is(job.attempts, 2)
    t.is(calls(stage).length, 2)
    t.is((job.result as ChatResult).steps.length, 5)
    const tasks = await stage.records.tasks.list(stage.person, { limit: 10, goalId: goal.id })
    t.is(tasks.data.filter(({ title }) => title === 'Only once').length, 1)
    t.is((await context().threadStore.messages(id, 10)).length, 2)
    t.is(
      joined(stage.told(id)),
      'Created the task “Only once” in the goal “Understand functions”.\n\nFunctions return values [1].'
    )
    const billed = stage.provider.invoiceTotals()
    t.is(job.usage.totalTokens, billed.promptTokens + billed.completionTokens)
  })
}

test('an answer that was paid for is not asked for again when the step could not be kept', async (t) => {
  const { isolation, knex, log } = context()
  const inner = createCheckpoints({ databaseUrl: isolation.databaseUrl, schema: isolation.schema, knex, log })
  t.teardown(inner.close)
  const stage = await newStage({ checkpoints: breaking(inner, ({ state }) => state.draft === 'Done.') })
  const { goal } = await createLesson(stage)
  stage.plan(createsTask)
  stage.answer({ content: 'Done.' })
  const id = await stage.submitChat({ message: 'Make a task', agent: 'planner', allowWrites: true })
  t.is((await stage.deliverChat(id)).status, 'queued')
  const job = await untilEnded(stage, id)
  t.is(job.status, 'completed')
  t.is(calls(stage).length, 2)
  t.is((await stage.records.tasks.list(stage.person, { limit: 10, goalId: goal.id })).data.length, 2)
  const billed = stage.provider.invoiceTotals()
  t.is(job.usage.totalTokens, billed.promptTokens + billed.completionTokens)
})

test('an effect that could not be committed is committed by the next attempt, once', async (t) => {
  const { stage } = t.context
  const { goal } = await createLesson(stage)
  stage.plan(createsTask)
  stage.answer({ content: 'Done.' })
  const id = await stage.submitChat({ message: 'Make a task', agent: 'planner', allowWrites: true })
  const process = stage.processor() as (run: never) => Promise<(trx: never) => Promise<unknown>>
  let failed = false
  const failing = async (run: never) => {
    const effect = await process(run)
    return async (trx: never) => {
      const result = await effect(trx)
      if (!failed) {
        failed = true
        throw Object.assign(new Error('deadlock'), { code: '40P01' })
      }
      return result
    }
  }
  t.is((await stage.deliverChat(id, failing as never)).status, 'queued')
  t.is(await context().threadStore.find(stage.userId, id), undefined)
  const job = await untilEnded(stage, id)
  t.is(job.status, 'completed')
  t.is(calls(stage).length, 2)
  t.is((await stage.records.tasks.list(stage.person, { limit: 10, goalId: goal.id })).data.length, 2)
  t.is((await context().threadStore.messages(id, 10)).length, 2)
  t.is(joined(stage.told(id)), 'Created the task “Only once” in the goal “Understand functions”.')
})

test('a run that fails for good leaves no half turn and no change behind', async (t) => {
  const { stage } = t.context
  const { goal } = await createLesson(stage)
  stage.plan(createsTask)
  stage.provider.fail({ kind: 'status', status: 400, contains: 'will be saved together' })
  const id = await stage.submitChat({ message: 'Make a task', agent: 'planner', allowWrites: true })
  t.is((await stage.deliverChat(id)).status, 'failed')
  t.is(await context().threadStore.find(stage.userId, id), undefined)
  t.is((await stage.records.tasks.list(stage.person, { limit: 10, goalId: goal.id })).data.length, 1)
})

test('a cancelled run stops, keeps the text it had, and leaves no turn behind', async (t) => {
  const { stage } = t.context
  stage.provider.settings.set({ tokenMs: 20 })
  stage.answer({ content: 'one two three four five six seven eight nine ten '.repeat(40) })
  const id = await stage.submitChat({ message: 'Count', agent: 'tutor' })
  const delivered = stage.deliverChat(id)
  await eventually(async () => joined(stage.told(id)).length > 20, 60_000)
  await context().jobs.cancel({ id: stage.userId, role: 'user', credential: { kind: 'api_key', id: randomUUID() } }, id)
  stage.running.abort(id, 'lost')
  const job = await delivered
  t.is(job.status, 'cancelled')
  const { message } = job.result as { message: { content: string } }
  t.true(message.content.length > 20)
  t.true(joined(stage.told(id)).startsWith(message.content))
  t.true(job.usage.completionTokens > 0)
  t.is(await context().threadStore.find(stage.userId, id), undefined)
})

test('who follows a run hears the answer while it is written, and joined it is the final content', async (t) => {
  const { stage } = t.context
  const { redis, prefix, log, subscriber } = context()
  const feed = createDeltaFeed({ redis, subscriber, prefix, log })
  feed.start()
  t.teardown(() => feed.stop())
  stage.provider.settings.set({ tokenMs: 5 })
  stage.answer({ content: 'Closures remember what was there. '.repeat(20) })
  const id = await stage.submitChat({ message: 'What is a closure?', agent: 'tutor' })
  let text = ''
  const seqs: number[] = []
  const following = feed.follow(id, undefined, (delta) => {
    seqs.push(delta.seq)
    text = delta.type === 'reset' ? '' : text + delta.text
  })
  t.teardown(following.stop)
  let ended = false
  const delivered = stage.deliverChat(id, stage.processor({ deltas: createDeltas({ redis, prefix, log }) }))
  void delivered.finally(() => {
    ended = true
  })
  await eventually(async () => text !== '', 60_000)
  t.false(ended)
  const { content } = ((await delivered).result as ChatResult).message
  await eventually(async () => text === content, 60_000)
  t.deepEqual(
    seqs,
    seqs.toSorted((a, b) => a - b)
  )
  t.true(seqs.length > 3)
})

test('checkpoints are dropped when the run has ended, and those that were left behind with them', async (t) => {
  const { stage } = t.context
  const { knex } = context()
  stage.provider.fail({ kind: 'status', status: 400, contains: 'You are a tutor' })
  const left = await stage.submitChat({ message: 'Fail', agent: 'tutor' })
  t.is((await stage.deliverChat(left)).status, 'failed')
  t.not(await knex('checkpoints').where({ thread_id: left }).first(), undefined)
  await knex('jobs')
    .where({ id: left })
    .update({ finished_at: knex.raw(`now() - interval '1 hour'`) })
  const { job } = await stage.ask({ message: 'Hello', agent: 'tutor' })
  for (const id of [job.id, left]) {
    await eventually(async () => (await knex('checkpoints').where({ thread_id: id }).first()) === undefined)
    t.is(await knex('checkpoint_blobs').where({ thread_id: id }).first(), undefined)
    t.is(await knex('checkpoint_writes').where({ thread_id: id }).first(), undefined)
  }
})

test('several processes may make the tables of the checkpointer at once', async (t) => {
  const { isolation, knex, log } = context()
  const schema = `${isolation.schema}_twice`
  const many = Array.from({ length: 5 }, () =>
    createCheckpoints({ databaseUrl: isolation.databaseUrl, schema, knex, log })
  )
  t.teardown(async () => {
    await Promise.all(many.map(({ close }) => close()))
    await knex.raw('drop schema if exists ?? cascade', [schema])
  })
  await t.notThrowsAsync(Promise.all(many.map(({ saver }) => saver())))
})

test('the provider refusing to answer fails the job for good', async (t) => {
  const { stage } = t.context
  const refusing = {
    content: '',
    toolCalls: [],
    finishReason: 'stop' as const,
    refusal: 'No.',
    usage: { promptTokens: 1, cachedTokens: 0, completionTokens: 1, reasoningTokens: 0 },
    costPico: 0n,
    reused: false
  }
  const id = await stage.submitChat({ message: 'Do something bad', agent: 'tutor' })
  const processor = stage.processor({ models: { ...stage.models, chat: async () => refusing } })
  const job = await stage.deliverChat(id, processor)
  t.is(job.status, 'failed')
  t.like(job.error, { code: 'refused', retryable: false })
})
