import test from 'ava'
import { codeSnapshotCreateSchema } from '../../../lib/schemas/code-snapshot.ts'
import { codeValidationInputSchema } from '../../../lib/schemas/code-validation.ts'
import { embeddingInputSchema } from '../../../lib/schemas/embedding.ts'
import { fieldErrors } from '../../../lib/schemas/field-errors.ts'
import { goalCreateSchema } from '../../../lib/schemas/goal.ts'
import { ragInputSchema } from '../../../lib/schemas/rag.ts'

const pathsOf = (
  schema: typeof embeddingInputSchema | typeof codeValidationInputSchema | typeof ragInputSchema,
  body: unknown
) => {
  const { error } = schema.safeParse(body)
  return error ? fieldErrors(error).map(({ path }) => path) : 'fine'
}

test('of two possible shapes the one that was meant says what is wrong', (t) => {
  t.deepEqual(pathsOf(embeddingInputSchema, { input: 5 }), ['input'])
  t.deepEqual(pathsOf(embeddingInputSchema, { input: ['', 3] }), ['input.0', 'input.1'])
  t.deepEqual(pathsOf(embeddingInputSchema, { source: { type: 'x', id: 'y' } }), ['source.type', 'source.id'])
  t.deepEqual(pathsOf(embeddingInputSchema, { foo: 1 }), ['input', 'foo'])
  t.deepEqual(pathsOf(codeValidationInputSchema, { language: 'js' }), ['source'])
  t.deepEqual(pathsOf(codeValidationInputSchema, { codeSnapshotId: 'x' }), ['codeSnapshotId'])
  t.deepEqual(pathsOf(embeddingInputSchema, null), [''])
})

test('a tool that is not one is named, and each tool names its own wrong fields', (t) => {
  t.deepEqual(pathsOf(ragInputSchema, { tool: 'nothing', query: 'x' }), ['tool'])
  t.deepEqual(pathsOf(ragInputSchema, { query: '', limit: 51, extra: 1 }), ['limit', 'query', 'extra'])
  t.deepEqual(pathsOf(ragInputSchema, { tool: 'get_similar_goals' }), ['query'])
  t.deepEqual(pathsOf(ragInputSchema, { query: 'x', scope: 'course' }), ['courseId'])
  t.is(pathsOf(ragInputSchema, { query: 'x' }), 'fine')
})

test('a field that is missing is called required, whatever it should have been', (t) => {
  const messages = (schema: typeof goalCreateSchema | typeof codeSnapshotCreateSchema, body: unknown) => {
    const { error } = schema.safeParse(body)
    return error && Object.fromEntries(fieldErrors(error).map(({ path, message }) => [path, message]))
  }
  t.deepEqual(messages(goalCreateSchema, {}), { title: 'is required' })
  t.deepEqual(messages(codeSnapshotCreateSchema, {}), { language: 'is required', source: 'is required' })
  t.not(messages(goalCreateSchema, undefined)?.[''], 'is required')
  t.not(messages(goalCreateSchema, { title: null })?.title, 'is required')
})

test('what is of another type than every shape is told what it might have been, one field once', (t) => {
  const { error } = embeddingInputSchema.safeParse({ input: 5 })
  t.regex((error && fieldErrors(error)[0]?.message) ?? '', /expected string.*, or .*expected array/)
  const missing = embeddingInputSchema.safeParse({})
  t.deepEqual(missing.error && fieldErrors(missing.error), [{ path: 'input', message: 'is required' }])
})

test('every wrong field is told up to a number, and none at length', (t) => {
  const { error } = goalCreateSchema.safeParse(Object.fromEntries(Array.from({ length: 900 }, (_, i) => [`no${i}`, i])))
  t.is(error && fieldErrors(error).length, 50)
  t.is(error && fieldErrors(error, 1_000).length, 901)
  const long = goalCreateSchema.safeParse({ title: 'x', ['y'.repeat(10_000)]: 1 })
  t.is(long.error && fieldErrors(long.error)[0]?.path.length, 300)
})
