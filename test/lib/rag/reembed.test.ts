import test from 'ava'
import type { Actor } from '../../../lib/access/actor.ts'
import { JobError } from '../../../lib/errors/job-error.ts'
import { createRunHere } from '../../../lib/jobs/run-here.ts'
import { createReembed } from '../../../lib/rag/reembed.ts'
import { createUsageTracker } from '../../../lib/usage/tracker.ts'
import { countedModels, ragForFile } from './place.ts'

const place = ragForFile(test)
const never = new AbortController().signal
const failOn = (t: { fail(message: string): unknown }) => (_source: object, error: unknown) =>
  void t.fail(String(error))

/** The same provider under the name of another model. */
function otherModel(embeddingModel: string) {
  const models = { ...countedModels(), embeddingModel }
  const { context, rag } = place()
  const { jobStore: store, transaction, lifecycle } = context
  const runHere = createRunHere({
    store,
    transaction,
    lifecycle,
    tracker: createUsageTracker(),
    worker: 'test',
    command: 'npm run reembed'
  })
  return { models, reembed: createReembed({ ...rag, models, runHere }) }
}

async function goals(actor: Actor, count: number): Promise<string[]> {
  const { records } = place()
  const ids: string[] = []
  for (let n = 0; n < count; n++) {
    const goal = { title: `Goal ${n}`, description: 'Sort a list', status: 'active' as const }
    ids.push((await records.run((trx) => records.goals.create(trx, actor, goal))).id)
  }
  return ids
}

test.serial('every record gets vectors of the other model, while searches find by the first alone', async (t) => {
  const { newActor, embedQueued, context, rag } = place()
  const actor = await newActor()
  await goals(actor, 12)
  await embedQueued()
  const { reembed, models } = otherModel('second-model')
  t.is(await reembed.left(), 12)
  const scope = await rag.scopes.for(actor, { scope: 'user' })
  const during: number[] = []
  await reembed.run({
    signal: never,
    onDone: () => {
      during.push(1)
    },
    onFailure: failOn(t)
  })
  const [vector] = (await models.embed({ step: 'query', texts: ['sort'], signal: never })).vectors
  const { hits } = await rag.retriever.find(scope, { vector, words: 'sort', limit: 50 })
  t.is(hits.length, 12)
  t.is(new Set(hits.map(({ sourceId }) => sourceId)).size, 12)
  t.is(during.length, 12)
  t.is(await reembed.left(), 0)
  const counts = await context
    .knex('embeddings')
    .where({ owner_id: actor.id })
    .groupBy('model')
    .count('* as n')
    .orderBy('model')
  t.deepEqual(
    counts.map(({ n }) => Number(n)),
    [12, 12]
  )
})

test.serial('stopped in the middle it goes on with what is left', async (t) => {
  const { newActor, embedQueued, context } = place()
  await goals(await newActor(), 60)
  await embedQueued()
  const first = otherModel('third-model')
  const stop = new AbortController()
  let done = 0
  const total = await first.reembed.left()
  await first.reembed.run({
    signal: stop.signal,
    onDone: () => {
      if (++done === 10) stop.abort()
    },
    onFailure: failOn(t)
  })
  const left = await first.reembed.left()
  t.true(left > 0 && left < total)
  const second = otherModel('third-model')
  await second.reembed.run({ signal: never, onDone: () => {}, onFailure: failOn(t) })
  t.is(await second.reembed.left(), 0)
  t.is(second.models.calls.flatMap(({ texts }) => texts).length, left)
  const jobs = await context.knex('jobs').where({ origin: 'system' }).whereNull('source_id').distinct('status')
  t.false(jobs.some(({ status }) => status === 'queued' || status === 'active'))
})

test.serial('a record that is edited meanwhile is done again, and its stale vectors are gone at once', async (t) => {
  const { newActor, embedQueued, records, context } = place()
  const actor = await newActor()
  const [id = ''] = await goals(actor, 1)
  await embedQueued()
  const { reembed } = otherModel('fourth-model')
  await reembed.run({ signal: never, onDone: () => {}, onFailure: failOn(t) })
  await records.goals.update(actor, id, { description: 'Sort it in another way' })
  await embedQueued()
  t.deepEqual(await context.knex('embeddings').where({ source_id: id, model: 'fourth-model' }), [])
  t.is(await reembed.left(), 1)
  await reembed.run({ signal: never, onDone: () => {}, onFailure: failOn(t) })
  t.is(await reembed.left(), 0)
})

test.serial('old vectors are deleted only when nothing depends on them any more', async (t) => {
  const { newActor, context, embedQueued } = place()
  const { reembed } = otherModel('fifth-model')
  await goals(await newActor(), 2)
  await embedQueued()
  await t.throwsAsync(reembed.prune({ signal: never, onDone: () => {} }), { message: /no vectors of fifth-model/ })
  await reembed.run({ signal: never, onDone: () => {}, onFailure: failOn(t) })
  await reembed.prune({ signal: never, onDone: () => {} })
  t.deepEqual(await context.knex('embeddings').distinct('model'), [{ model: 'fifth-model' }])
})

test.serial('a model that the provider does not serve is given up at the first record, which says why', async (t) => {
  const { newActor, embedQueued, context, rag } = place()
  const actor = await newActor()
  await goals(actor, 5)
  await embedQueued()
  const { jobStore: store, transaction, lifecycle, knex } = context
  const command = 'npm run reembed'
  const runHere = createRunHere({
    store,
    transaction,
    lifecycle,
    tracker: createUsageTracker(),
    worker: 'test',
    command
  })
  const message = 'the model provider answered 404 (model_not_found)'
  const models = {
    embeddingModel: 'mistyped-model',
    embed: () => Promise.reject(new JobError('provider_refused', message, { retryable: false, cause: { status: 404 } }))
  }
  const reembed = createReembed({ ...rag, models, runHere })
  const told: unknown[] = []
  await t.throwsAsync(
    reembed.run({ signal: never, onDone: () => {}, onFailure: (_source, error) => void told.push(error) }),
    { message }
  )
  t.deepEqual(told, [])
  const cancelled = await knex('jobs')
    .where({ status: 'cancelled' })
    .whereRaw(`error->>'message' like '%404%'`)
    .select('error')
  t.deepEqual(
    cancelled.map(({ error }) => error),
    [{ code: 'cancelled', message: `cancelled by npm run reembed: ${message}`, retryable: false }]
  )
})
