import test from 'ava'
import type { Actor } from '../../../lib/access/actor.ts'
import { createFreshness } from '../../../lib/rag/freshness.ts'
import { type BulkInput, type BulkResult, bulkInputSchema } from '../../../lib/schemas/bulk.ts'
import { createEmbeddingStore } from '../../../lib/store/search/embeddings.ts'
import { createSourceStore } from '../../../lib/store/search/sources.ts'
import { bulkCreateProcessor } from '../../../workers/processors/bulk-create.ts'
import { recordsForFile } from '../../helpers/records.ts'
import { applyEffect } from '../../helpers/effect.ts'

const place = recordsForFile(test, ({ knex, jobs, config }) =>
  createFreshness({
    enqueue: (trx, ...wanted) => jobs.enqueueEmbeddings(trx, ...wanted),
    sources: createSourceStore({ knex }),
    embeddings: createEmbeddingStore({ knex }),
    model: config.embeddingModel
  })
)

type Progress = { done: number; total: number }

/** Runs the processor and commits its effect, as the pool does. */
async function run(actor: Actor, input: BulkInput, progress: Progress[] = []): Promise<BulkResult> {
  const { records, context } = place()
  const process = bulkCreateProcessor({ bulk: records.bulk })
  const effect = await process({
    id: actor.id,
    user: actor,
    action: 'bulk_create',
    origin: 'user',
    input: bulkInputSchema.parse(input),
    run: 1,
    threadId: null,
    signal: new AbortController().signal,
    log: context.log,
    progress: (done, total) => void progress.push({ done, total }),
    partial: () => undefined
  })
  return (await context.transaction.transact((trx) => applyEffect(trx, effect))) as BulkResult
}

const all = { limit: 100 }

test('a call creates a whole course, its records naming each other by clientId', async (t) => {
  const { records, newActor } = place()
  const actor = await newActor()
  const result = await run(actor, {
    documents: [{ clientId: 'd1', courseClientId: 'c1', title: 'Page', markdown: '# Page' }],
    codeSnapshots: [{ clientId: 's1', taskClientId: 't1', language: 'c', source: 'int x;' }],
    tasks: [
      { clientId: 't1', goalClientId: 'g1', title: 'One' },
      { clientId: 't2', goalClientId: 'g1', title: 'Two', status: 'completed' }
    ],
    goals: [{ clientId: 'g1', courseClientId: 'c1', title: 'Goal' }],
    courses: [{ clientId: 'c1', title: 'Course' }]
  })
  t.deepEqual(
    result.created.map(({ clientId, type }) => `${type} ${clientId}`),
    ['course c1', 'goal g1', 'task t1', 'task t2', 'code_snapshot s1', 'document d1']
  )
  t.deepEqual([result.existing, result.rejected], [[], []])
  const idOf = (name: string) => result.created.find(({ clientId }) => clientId === name)?.id as string
  t.like(await records.goals.find(actor, idOf('g1')), { courseId: idOf('c1'), progress: 0.5 })
  t.like(await records.codeSnapshots.find(actor, idOf('s1')), { taskId: idOf('t1'), sizeBytes: 6 })
  t.like(await records.documents.find(actor, idOf('d1')), { courseId: idOf('c1'), ownerId: actor.id })
  t.deepEqual(
    (await records.tasks.list(actor, all)).data.map(({ title, position }) => [title, position]),
    [
      ['Two', 1],
      ['One', 0]
    ]
  )
})

test('the same call twice creates nothing twice, and later calls may name what earlier ones made', async (t) => {
  const { records, newActor } = place()
  const actor = await newActor()
  const input = {
    goals: [{ clientId: 'g', title: 'Goal' }],
    tasks: [
      { clientId: 't', goalClientId: 'g', title: 'Task' },
      { goalClientId: 'g', title: 'Nameless' }
    ]
  }
  const first = await run(actor, input)
  const second = await run(actor, input)
  t.deepEqual(second.existing, first.created.slice(0, 2))
  t.deepEqual(
    second.created.map(({ clientId }) => clientId),
    [undefined]
  )
  const third = await run(actor, { codeSnapshots: [{ taskClientId: 't', language: 'c', source: 'x' }] })
  t.is(third.created.length, 1)
  t.is((await records.goals.list(actor, all)).data.length, 1)

  const stranger = await newActor()
  const refused = await run(stranger, { tasks: [{ goalClientId: 'g', title: 'Task' }] })
  t.deepEqual(
    refused.rejected.map(({ index, type, errors }) => [index, type, errors[0]?.path]),
    [[0, 'task', 'goalClientId']],
    "names are each person's own"
  )
})

test('one wrong record is told with its fields and keeps none of the others away', async (t) => {
  const { newActor } = place()
  const actor = await newActor()
  const stranger = await newActor()
  const theirs = (await run(stranger, { goals: [{ title: 'Theirs' }] })).created[0]?.id as string
  const result = await run(actor, {
    goals: [
      { title: 'Right' },
      { title: '', status: 'dozing', colour: 'red', clientId: 'bad' },
      { title: 'Right too', clientId: 'good' },
      { title: 'x', courseId: theirs }
    ],
    tasks: [
      { title: 'No goal' },
      { title: 'Foreign', goalId: theirs },
      { title: 'Of a rejected goal', goalClientId: 'bad' },
      { title: 'Both', goalId: theirs, goalClientId: 'good' },
      { title: 'Right', goalClientId: 'good', clientId: 't' }
    ],
    documents: [{ title: 'Global', markdown: 'x' }]
  })
  t.deepEqual(
    result.created.map(({ type }) => type),
    ['goal', 'goal', 'task']
  )
  t.deepEqual(
    result.rejected.map(({ type, index, clientId, errors }) => [
      type,
      index,
      clientId,
      errors.map(({ path }) => path).toSorted()
    ]),
    [
      ['goal', 1, 'bad', ['colour', 'status', 'title']],
      ['goal', 3, undefined, ['courseId']],
      ['task', 0, undefined, ['goalId']],
      ['task', 1, undefined, ['goalId']],
      ['task', 2, undefined, ['goalClientId']],
      ['task', 3, undefined, ['goalClientId']],
      ['document', 0, undefined, ['courseId']]
    ]
  )
})

test('of a clientId that comes twice the first right record is created and the other exists', async (t) => {
  const { newActor } = place()
  const actor = await newActor()
  const result = await run(actor, {
    goals: [
      { title: '', clientId: 'g' },
      { title: 'Second', clientId: 'g' },
      { title: 'Third', clientId: 'g' }
    ],
    courses: [{ title: 'Of another type', clientId: 'g' }]
  })
  t.deepEqual(
    result.created.map(({ type }) => type),
    ['course', 'goal']
  )
  t.is(result.existing[0]?.id, result.created[1]?.id as string)
  t.deepEqual(
    result.rejected.map(({ index }) => index),
    [0]
  )
})

test('equal calls at the same time create everything once', async (t) => {
  const { records, newActor } = place()
  const actor = await newActor()
  const input = {
    goals: [{ clientId: 'g', title: 'Goal' }],
    tasks: Array.from({ length: 20 }, (_, n) => ({ clientId: `t${n}`, goalClientId: 'g', title: `Task ${n}` }))
  }
  const results = await Promise.all(Array.from({ length: 4 }, () => run(actor, input)))
  t.is(results.flatMap(({ created }) => created).length, 21)
  t.is(results.flatMap(({ existing }) => existing).length, 63)
  t.is((await records.tasks.list(actor, all)).data.length, 20)
})

test('a name is free again when its record is deleted', async (t) => {
  const { records, newActor } = place()
  const actor = await newActor()
  const input = { goals: [{ clientId: 'g', title: 'Goal' }], tasks: [{ clientId: 't', goalClientId: 'g', title: 'T' }] }
  const [goal] = (await run(actor, input)).created
  await records.goals.remove(actor, goal?.id as string)
  t.is((await run(actor, input)).created.length, 2)
})

test.serial('500 records take few statements, with progress, their events and their embeddings queued', async (t) => {
  const { newActor, context } = place()
  const actor = await newActor()
  const progress: Progress[] = []
  let statements = 0
  const count = () => {
    statements += 1
  }
  context.knex.on('query', count)
  const started = performance.now()
  const { created, rejected } = await run(
    actor,
    {
      courses: [{ clientId: 'c', title: 'Course' }],
      goals: Array.from({ length: 9 }, (_, n) => ({ clientId: `g${n}`, courseClientId: 'c', title: `Goal ${n}` })),
      tasks: Array.from({ length: 230 }, (_, n) => ({
        clientId: `t${n}`,
        goalClientId: `g${n % 9}`,
        title: `Task ${n}`,
        description: 'word '.repeat(200)
      })),
      codeSnapshots: Array.from({ length: 230 }, (_, n) => ({
        clientId: `s${n}`,
        taskClientId: `t${n}`,
        language: 'c',
        source: 'int x;\n'.repeat(100)
      })),
      documents: Array.from({ length: 30 }, (_, n) => ({
        courseClientId: 'c',
        title: `${n}`,
        markdown: '# x\n'.repeat(99)
      }))
    },
    progress
  )
  const tookMs = performance.now() - started
  t.deepEqual([created.length, rejected.length], [500, 0])
  context.knex.off('query', count)
  t.log(`${Math.round(tookMs)} ms, ${statements} statements`)
  t.true(statements < 60, `${statements} statements`)
  t.deepEqual(progress.at(-1), { done: 500, total: 500 })
  t.true(progress.length > 10)
  const [row] = await context.knex('events').where({ user_id: actor.id }).count()
  t.is(Number(row?.count), 500)
  const [queued] = await context.knex('jobs').where({ user_id: actor.id, origin: 'system', status: 'queued' }).count()
  t.is(Number(queued?.count), 499, 'all but the course')
})

test('a call needs 1 to 500 records in known lists', (t) => {
  const accepts = (input: unknown) => bulkInputSchema.safeParse(input).success
  const goals = (n: number) => Array.from({ length: n }, () => ({ title: 'x' }))
  t.true(accepts({ goals: goals(250), tasks: goals(250) }))
  for (const input of [
    {},
    { goals: [] },
    { goals: goals(501) },
    { goals: goals(300), tasks: goals(201) },
    { goals: {} },
    { goals: [null] },
    { goals: ['x'] },
    { users: goals(1) },
    { goals: [{ title: 'a\u0000b' }] },
    { goals: [{ title: '\ud800' }] },
    [],
    null
  ]) {
    t.false(accepts(input), JSON.stringify(input))
  }
})
