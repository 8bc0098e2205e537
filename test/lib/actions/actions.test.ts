import test from 'ava'
import { actionOf, aiActions, forEachAction, gateActions } from '../../../lib/actions/actions.ts'
import { contextForFile } from '../../helpers/context.ts'

const context = contextForFile(test)

test('the database knows exactly the actions that are defined', async (t) => {
  const { rows } = await context().knex.raw('select unnest(enum_range(null::rate_limit_action))::text as action')
  t.deepEqual(rows.map(({ action }: { action: string }) => action).sort(), [...gateActions].sort())
})

test('each definition is found by its name, and names and routes are unique', (t) => {
  t.deepEqual(Object.values(forEachAction(({ name }) => name)), [...aiActions])
  t.is(new Set(aiActions).size, aiActions.length)
  t.is(new Set(aiActions.map((action) => actionOf(action).route)).size, aiActions.length)
})

const prices = {
  chat: { input: 7n, cachedInput: 3n, output: 11n },
  embedding: { input: 13n, cachedInput: 0n, output: 0n }
}

test('what a job may cost counts bytes of what is sent, and of the record that is referred to', (t) => {
  const cost = (action: (typeof aiActions)[number], input: object, referredBytes = 0) =>
    actionOf(action).worstCase(actionOf(action).input.parse(input), { referredBytes, prices })
  const id = '01890a5d-ac96-774b-bcce-b302099a8057'
  t.is(cost('embedding_generation', { input: ['é', 'a'] }), 3n * 13n)
  t.is(cost('embedding_generation', { source: { type: 'goal', id } }, 77), 77n * 13n)
  t.is(cost('rag_search', { query: 'abc' }, 9), 3n * 13n)
  t.is(cost('rag_search', { tool: 'get_similar_goals', goalId: id }, 9), 9n * 13n)
  t.is(cost('code_validation', { source: 'xyz', language: 'js' }, 9), 2n * (24_006n * 7n + 4_096n * 11n))
  t.is(cost('code_validation', { codeSnapshotId: id }, 9), 2n * (24_018n * 7n + 4_096n * 11n))
  t.is(cost('chat_completion', { message: 'hello' }), 48_005n * 7n + 4_096n * 11n)
  t.is(cost('chat_completion', { message: 'hello', maxOutputTokens: 5 }), 48_005n * 7n + 5n * 11n)
  t.is(cost('chat_completion', { message: 'hello', maxCostUsd: 0.25 }), 250_000_000_000n)
  t.is(cost('bulk_create', { goals: [{ title: 'One' }] }), 0n)
})

test('references come with the field that names them', (t) => {
  const of = (action: (typeof aiActions)[number], input: object) =>
    actionOf(action)
      .references(input)
      .map(({ field, type }) => `${field} ${type}`)
  t.deepEqual(of('embedding_generation', { source: { type: 'document', id: 'x' } }), ['source.id document'])
  t.deepEqual(of('embedding_generation', { input: 'text' }), [])
  t.deepEqual(of('chat_completion', { taskId: 'x', threadId: 'y' }), ['threadId thread', 'taskId task'])
  t.deepEqual(of('rag_search', { taskId: 'x', courseId: 'y' }), ['courseId course', 'taskId task'])
  t.deepEqual(of('bulk_create', { goals: [{ goalId: 'x' }] }), [])
})
