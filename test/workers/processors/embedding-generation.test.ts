import test from 'ava'
import { newId } from '../../../lib/ids.ts'
import { decodeVector } from '../../../lib/vector-text.ts'
import type { EmbeddingResult } from '../../../lib/schemas/embedding.ts'
import { ragForFile, type RagPlace } from '../../lib/rag/place.ts'
import { applyEffect } from '../../helpers/effect.ts'

const place = ragForFile(test)

const long = (name: string, count = 12) =>
  Array.from(
    { length: count },
    (_, index) => `Paragraph ${name}${index}. ${`${name} says ${index}. `.repeat(25)}`
  ).join('\n\n')

async function apply(
  { context }: RagPlace,
  effect: Awaited<ReturnType<RagPlace['embedding']>>
): Promise<EmbeddingResult> {
  return (await context.transaction.transact((trx) => applyEffect(trx, effect))) as EmbeddingResult
}

async function newDocument({ records }: RagPlace, actor: Awaited<ReturnType<RagPlace['newActor']>>, markdown: string) {
  const course = await records.run((trx) =>
    records.courses.create(trx, actor, { title: 'Course', language: 'en', visibility: 'private' })
  )
  const document = await records.run((trx) =>
    records.documents.create(trx, actor, { title: 'Page', markdown, courseId: course.id })
  )
  return { course, document }
}

test.serial('texts become vectors of 1536 dimensions in their order', async (t) => {
  const { embedding } = place()
  const effect = await embedding({ input: ['binary search', 'bubble sort', 'binary search'] })
  const result = await apply(place(), effect)
  t.like(result, { model: place().models.embeddingModel, dimensions: 1536, reused: 0 })
  t.is(result.embeddings?.length, 3)
  t.deepEqual(result.embeddings?.[0], result.embeddings?.[2])
  t.notDeepEqual(result.embeddings?.[0], result.embeddings?.[1])
})

test.serial('base64 vectors are little-endian 32-bit floats of the same numbers', async (t) => {
  const floats = await apply(place(), await place().embedding({ input: 'recursion' }))
  const packed = await apply(place(), await place().embedding({ input: 'recursion', encoding: 'base64' }))
  t.deepEqual(decodeVector(packed.embeddings?.[0] as string), floats.embeddings?.[0] as number[])
})

test.serial('many long texts go in several calls, with progress after each', async (t) => {
  const done: [number, number][] = []
  const input = Array.from({ length: 100 }, (_, index) => `${index} ${'several words of text '.repeat(400)}`)
  const before = place().models.calls.length
  await place().embedding({ input }, { progress: (count, total) => done.push([count, total]) })
  const calls = place().models.calls.slice(before)
  t.true(calls.length > 1)
  t.is(new Set(calls.map(({ step }) => step)).size, calls.length)
  t.deepEqual(done.at(-1), [100, 100])
})

test.serial('a text that is too long for the model is named', async (t) => {
  const input = ['short', 'many words here '.repeat(3_000)]
  const error = await t.throwsAsync(place().embedding({ input }))
  t.like(error, { code: 'input_too_long', retryable: false })
  t.regex(error?.message ?? '', /text 2 of 2 has about 9\d\d\d tokens/)
})

test.serial(
  'a record gets one vector for each chunk, its place and languages from the record, and an event',
  async (t) => {
    const { records, context, embedding, newActor } = place()
    const actor = await newActor()
    const course = await records.run((trx) =>
      records.courses.create(trx, actor, { title: 'Kurs', language: 'de', subject: 'Python', visibility: 'private' })
    )
    const markdown = `# Schleifen\n\n${long('Schleife')}`
    const document = await records.run((trx) =>
      records.documents.create(trx, actor, { title: 'Seite', markdown, courseId: course.id })
    )
    const effect = await embedding({ source: { type: 'document', id: document.id } }, { user: actor })
    const result = await apply(place(), effect)

    const rows = await context.knex('embeddings').where({ source_id: document.id }).orderBy('chunk')
    t.is(result.chunks, rows.length)
    t.true(rows.length > 2)
    for (const row of rows) {
      t.like(row, { owner_id: actor.id, course_id: course.id, scope: 'course', title: 'Seite', heading: 'Schleifen' })
      t.like(row, { language: 'de', subject: 'python', config: 'german' })
    }
    t.deepEqual(
      rows.map(({ chunk }) => chunk),
      rows.map((_, index) => index)
    )
    const stored = await records.documents.find(actor, document.id)
    t.is(stored.chunks, rows.length)
    t.truthy(stored.embeddedAt)
    t.is(stored.updatedAt, document.updatedAt, 'being embedded is no change of the record')
    const events = await context.knex('events').where({ subject: document.id, type: 'document.embedded' })
    t.is(events.length, 1)
    t.like(events[0], { user_id: actor.id, data: { id: document.id, chunks: rows.length } })
    t.true(events[0].channels.includes(`course:${course.id}`))
  }
)

test.serial('goals and tasks of a user are in the scope of that user, with the channels of their goal', async (t) => {
  const { records, context, embedQueued, newActor } = place()
  const actor = await newActor()
  const goal = await records.run((trx) => records.goals.create(trx, actor, { title: 'Learn Go', status: 'active' }))
  const task = await records.run((trx) =>
    records.tasks.create(trx, actor, { goalId: goal.id, title: 'Read a file', status: 'pending' })
  )
  const snapshot = await records.run((trx) =>
    records.codeSnapshots.create(trx, actor, {
      language: 'Go',
      source: 'package main',
      taskId: task.id,
      note: 'first try'
    })
  )
  await embedQueued()
  const rows = await context.knex('embeddings').where({ owner_id: actor.id }).orderBy(['source_type', 'chunk'])
  t.deepEqual(
    rows.map((row) => [row.source_type, row.scope, row.title, row.task_id, row.content, row.language]),
    [
      ['code_snapshot', 'user', 'Read a file', task.id, 'first try', 'go'],
      ['code_snapshot', 'user', 'Read a file', task.id, 'package main', 'go'],
      ['goal', 'user', 'Learn Go', null, '', 'en'],
      ['task', 'user', 'Read a file', task.id, '', 'en']
    ]
  )
  const events = await context
    .knex('events')
    .whereIn('subject', [goal.id, task.id, snapshot.id])
    .whereLike('type', '%.embedded')
  const channels = Object.fromEntries(events.map(({ type, channels }) => [type, channels.slice(1)]))
  t.deepEqual(channels, {
    'goal.embedded': [`goal:${goal.id}`],
    'task.embedded': [`task:${task.id}`, `goal:${goal.id}`],
    'code_snapshot.embedded': [`task:${task.id}`]
  })
})

test.serial('chunks whose text is stored already cost nothing', async (t) => {
  const { models, embedding, newActor, records } = place()
  const actor = await newActor()
  const { document } = await newDocument(place(), actor, long('same'))
  const source = { type: 'document', id: document.id } as const
  const first = await apply(place(), await embedding({ source }, { user: actor }))
  const asked = models.asked.length
  const second = await apply(place(), await embedding({ source }, { user: actor }))
  t.is(second.reused, first.chunks as number)
  t.is(models.asked.length, asked)

  await records.documents.update(actor, document.id, { markdown: `${long('same')}\n\nA new end.` })
  const third = await apply(place(), await embedding({ source }, { user: actor }))
  t.is(models.asked.length, asked + 1)
  t.is(third.reused, (third.chunks as number) - 1)
})

test.serial("another owner's equal text is paid for: that it exists is nobody else's business", async (t) => {
  const { models, embedding, newActor } = place()
  const [one, two] = [await newActor(), await newActor()]
  const text = long('shared')
  for (const actor of [one, two]) {
    const { document } = await newDocument(place(), actor, text)
    const asked = models.asked.length
    const source = { type: 'document', id: document.id } as const
    const result = await apply(place(), await embedding({ source }, { user: actor }))
    t.is(models.asked.length - asked, result.chunks as number)
  }
})

test.serial('a paragraph put before all others renumbers the chunks and pays for one', async (t) => {
  const { models, embedding, newActor, records, context } = place()
  const actor = await newActor()
  const { document } = await newDocument(place(), actor, long('shift'))
  const source = { type: 'document', id: document.id } as const
  await apply(place(), await embedding({ source }, { user: actor }))
  const asked = models.asked.length
  await records.documents.update(actor, document.id, {
    markdown: `${`A longer beginning. `.repeat(80)}\n\n${long('shift')}`
  })
  const result = await apply(place(), await embedding({ source }, { user: actor }))
  t.true(models.asked.length - asked <= 2)
  const chunks = await context.knex('embeddings').where({ source_id: document.id }).orderBy('chunk').pluck('chunk')
  t.deepEqual(
    chunks,
    Array.from({ length: result.chunks as number }, (_, index) => index)
  )
})

test.serial('a text that changed while it was embedded is not overwritten', async (t) => {
  const { embedding, newActor, records, context, embedQueued } = place()
  const actor = await newActor()
  const goal = await records.run((trx) => records.goals.create(trx, actor, { title: 'First title', status: 'active' }))
  const late = await embedding({ source: { type: 'goal', id: goal.id } }, { user: actor })
  await records.goals.update(actor, goal.id, { title: 'Second title' })
  await embedQueued()
  const before = await context.knex('embeddings').where({ source_id: goal.id }).select('id', 'content_hash')
  await apply(place(), late)
  t.deepEqual(await context.knex('embeddings').where({ source_id: goal.id }).select('id', 'content_hash'), before)
})

test.serial('a text that changed while its job was being started is embedded by another', async (t) => {
  const { embedding, newActor, records, context, embedQueued } = place()
  const actor = await newActor()
  const goal = await records.run((trx) => records.goals.create(trx, actor, { title: 'First title', status: 'active' }))
  await embedQueued()
  const late = await embedding({ source: { type: 'goal', id: goal.id } }, { user: actor })
  // The change found the job that now runs still queued, and so queued none.
  await context.knex('goals').where({ id: goal.id }).update({ title: 'Second title' })
  await apply(place(), late)
  const waiting = await context.knex('jobs').where({ source_id: goal.id, status: 'queued' }).select('origin')
  t.deepEqual(waiting, [{ origin: 'system' }])
})

test.serial('a deleted record is a clean end for a job of the platform and a failure for a person', async (t) => {
  const source = { type: 'goal', id: newId() } as const
  const actor = await place().newActor()
  const effect = await place().embedding({ source }, { origin: 'system', user: actor })
  t.like(await apply(place(), effect), { chunks: 0, reused: 0 })
  const error = await t.throwsAsync(place().embedding({ source }, { user: actor }))
  t.like(error, { code: 'not_found', retryable: false })
})

test.serial('a record that is deleted between the call and the write leaves no vectors', async (t) => {
  const { embedding, newActor, records, context } = place()
  const actor = await newActor()
  const goal = await records.run((trx) => records.goals.create(trx, actor, { title: 'Short-lived', status: 'active' }))
  const effect = await embedding({ source: { type: 'goal', id: goal.id } }, { origin: 'system', user: actor })
  await records.goals.remove(actor, goal.id)
  t.like(await apply(place(), effect), { chunks: 0 })
  t.deepEqual(await context.knex('embeddings').where({ source_id: goal.id }), [])
})

test.serial('what a person does not see they cannot have embedded', async (t) => {
  const { embedding, newActor, records } = place()
  const [owner, stranger] = [await newActor(), await newActor()]
  const goal = await records.run((trx) => records.goals.create(trx, owner, { title: 'Private', status: 'active' }))
  const error = await t.throwsAsync(embedding({ source: { type: 'goal', id: goal.id } }, { user: stranger }))
  t.like(error, { code: 'not_found' })
})
