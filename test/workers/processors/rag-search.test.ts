import test from 'ava'
import type { Actor } from '../../../lib/access/actor.ts'
import { newId } from '../../../lib/ids.ts'
import { type RagInput, ragInputSchema, type RagResult, ragResultSchema } from '../../../lib/schemas/rag.ts'
import { ragSearchProcessor } from '../../../workers/processors/rag-search.ts'
import { jobRun, ragForFile } from '../../lib/rag/place.ts'
import { applyEffect } from '../../helpers/effect.ts'

const place = ragForFile(test)

async function search(user: Actor, input: object): Promise<RagResult> {
  const { rag, context } = place()
  const process = ragSearchProcessor(rag)
  const effect = await process(jobRun<RagInput>(user.id, ragInputSchema.parse(input), { user, action: 'rag_search' }))
  return (await context.transaction.transact((trx) => applyEffect(trx, effect))) as RagResult
}

async function goalOf(actor: Actor, title: string, courseId?: string): Promise<string> {
  const { records } = place()
  const input = { title, status: 'active' as const, ...(courseId ? { courseId } : {}) }
  return (await records.run((trx) => records.goals.create(trx, actor, input))).id
}

test.serial("a search job answers with its strategy and hits in the contract's shape", async (t) => {
  const actor = await place().newActor()
  const goal = await goalOf(actor, 'Understand recursion')
  await place().embedQueued()
  const result = await search(actor, { query: 'recursion' })
  t.deepEqual(ragResultSchema.parse(result), result)
  t.is(result.strategy, 'exact')
  t.is(result.hits.length, 1)
  t.like(result.hits[0], { sourceType: 'goal', sourceId: goal, title: 'Understand recursion', chunk: 0 })
})

test.serial('each of the five tools answers', async (t) => {
  const { records, newActor, embedQueued } = place()
  const actor = await newActor()
  const course = await records.run((trx) =>
    records.courses.create(trx, actor, { title: 'Course', language: 'en', visibility: 'private' })
  )
  const goal = await goalOf(actor, 'Sorting', course.id)
  const task = await records.run((trx) =>
    records.tasks.create(trx, actor, { goalId: goal, title: 'Sort', status: 'pending' })
  )
  await records.run((trx) =>
    records.codeSnapshots.create(trx, actor, { language: 'go', source: 'sort.Ints(a)', taskId: task.id })
  )
  await records.run((trx) =>
    records.documents.create(trx, actor, { title: 'Sorting', markdown: 'How to sort.', courseId: course.id })
  )
  await embedQueued()
  for (const [input, type] of [
    [{ tool: 'get_similar_goals', query: 'sort' }, 'goal'],
    [{ tool: 'get_similar_code', query: 'sort' }, 'code_snapshot'],
    [{ tool: 'get_course_documentation', courseId: course.id, query: 'sort' }, 'document'],
    [{ tool: 'get_task_context', taskId: task.id }, 'task'],
    [{ tool: 'search_knowledge_base', query: 'sort', types: ['goal'] }, 'goal']
  ] as const) {
    t.is((await search(actor, input)).hits[0]?.sourceType, type, input.tool)
  }
})

test.serial('rights count when the job runs, not when it was submitted', async (t) => {
  const { records, newActor, embedQueued } = place()
  const [owner, learner] = [await newActor(), await newActor()]
  const course = await records.run((trx) =>
    records.courses.create(trx, owner, { title: 'Course', language: 'en', visibility: 'public' })
  )
  await records.run((trx) =>
    records.documents.create(trx, owner, { title: 'Page', markdown: 'About loops.', courseId: course.id })
  )
  await embedQueued()
  const input = { query: 'loops', scope: 'course', courseId: course.id }
  t.is((await search(learner, input)).hits.length, 1)
  await records.courses.update(owner, course.id, { visibility: 'private' })
  t.deepEqual((await search(learner, input)).hits, [])
  t.is((await search(owner, input)).hits.length, 1)
})

test.serial("in a course a learner finds its documents and their own records, never another learner's", async (t) => {
  const { records, newActor, embedQueued } = place()
  const [owner, one, two, admin] = [await newActor(), await newActor(), await newActor(), await newActor('admin')]
  const course = await records.run((trx) =>
    records.courses.create(trx, owner, { title: 'Course', language: 'en', visibility: 'enrolled' })
  )
  for (const learner of [one, two]) await records.enrollments.create(owner, course.id, { userId: learner.id })
  const document = await records.run((trx) =>
    records.documents.create(trx, owner, { title: 'Page', markdown: 'About loops.', courseId: course.id })
  )
  const goals = { one: await goalOf(one, 'Loops', course.id), two: await goalOf(two, 'Loops', course.id) }
  await embedQueued()
  const found = async (actor: Actor) =>
    (await search(actor, { query: 'loops', scope: 'course', courseId: course.id })).hits
      .map(({ sourceId }) => sourceId)
      .toSorted()
  t.deepEqual(await found(one), [document.id, goals.one].toSorted())
  t.deepEqual(await found(two), [document.id, goals.two].toSorted())
  t.deepEqual(await found(owner), [document.id])
  t.deepEqual(await found(admin), [document.id], 'even an administrator: a scope is a place, not a right')
})

test.serial('a reference that is not seen is a failure that is not tried again', async (t) => {
  const actor = await place().newActor()
  const error = await t.throwsAsync(search(actor, { tool: 'get_task_context', taskId: newId() }))
  t.like(error, { code: 'not_found', retryable: false })
})
