import test from 'ava'
import fc from 'fast-check'
import { findUnstorable, textSchema, timeSchema } from '../../../lib/schemas/text.ts'
import { contextForFile } from '../../helpers/context.ts'

const context = contextForFile(test)

/** Any sequence of UTF-16 code units, lone surrogates and NUL among them. */
const anyString = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.constantFrom(0, 0xd800, 0xdc00, 0x41)), { maxLength: 12 })
  .map((units) => String.fromCharCode(...units))

const anyJson = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    anyString,
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(anyString, tie('value'), { maxKeys: 4 })
  )
})).value

test('a text that is accepted is stored and read back as it was; PostgreSQL would have refused or changed the others', async (t) => {
  const { knex } = context()
  await fc.assert(
    fc.asyncProperty(anyString, async (text) => {
      const accepted = textSchema.safeParse(text).success
      const kept = await knex
        .raw('select ?::text as text', [text])
        .then(({ rows }) => rows[0].text === text)
        .catch(() => false)
      return accepted === kept
    }),
    { numRuns: 300 }
  )
  t.pass()
})

test('a JSON value that is accepted is stored and read back as it was, the others are not', async (t) => {
  const { knex } = context()
  await fc.assert(
    fc.asyncProperty(anyJson, async (value) => {
      const json = JSON.stringify(value)
      const accepted = findUnstorable(value) === undefined
      const kept = await knex
        .raw('select ?::jsonb as value', [json])
        .then(() => true)
        .catch(() => false)
      return accepted === kept
    }),
    { numRuns: 300 }
  )
  t.pass()
})

test('a time that is accepted names the same moment when PostgreSQL gives it back', async (t) => {
  const { knex } = context()
  const two = (n: number) => String(n).padStart(2, '0')
  const anyTime = fc
    .tuple(
      fc.date({
        min: new Date('0000-01-01T00:00:00Z'),
        max: new Date('9999-12-31T23:59:59.999Z'),
        noInvalidDate: true
      }),
      fc.integer({ min: -23, max: 23 }),
      fc.integer({ min: 0, max: 59 })
    )
    .map(([date, hours, minutes]) =>
      date.toISOString().replace('Z', `${hours < 0 ? '-' : '+'}${two(Math.abs(hours))}:${two(minutes)}`)
    )
  await fc.assert(
    fc.asyncProperty(anyTime, async (text) => {
      const parsed = timeSchema.safeParse(text)
      if (!parsed.success) return true
      const { rows } = await knex.raw('select ?::timestamptz as at', [parsed.data])
      return parsed.data.endsWith('Z') && rows[0].at.getTime() === new Date(text).getTime()
    }),
    { numRuns: 300 }
  )
  t.false(timeSchema.safeParse('2024-02-30T00:00:00Z').success)
  t.false(timeSchema.safeParse('2024-02-03').success)
})

test('a value may be nested as deep as PostgreSQL and our own code can walk', async (t) => {
  const nested = (depth: number) => JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`) as unknown
  t.is(findUnstorable(nested(64)), undefined)
  t.truthy(findUnstorable(nested(65)))
  t.truthy(findUnstorable(nested(100_000)))
  const { knex } = context()
  await t.notThrowsAsync(async () => await knex.raw('select ?::jsonb', [JSON.stringify(nested(64))]))
})
