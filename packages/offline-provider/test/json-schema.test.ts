import { Ajv2020 } from 'ajv/dist/2020.js'
import test from 'ava'
import fc from 'fast-check'
import addFormats from 'ajv-formats'
import { generate } from '../src/json-schema.ts'

type Schema = Record<string, unknown>

const ajv = addFormats.default(new Ajv2020({ strict: false, validateFormats: true }))

/** Schemas of the kinds the generator knows, nested a few levels. */
const { schema: anySchema } = fc.letrec<{ schema: Schema }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(
      stringSchema(),
      numberSchema(),
      fc.constant({ type: 'boolean' }),
      enumSchema(),
      fc.constant({ type: ['string', 'null'] })
    ),
    arraySchema(tie('schema')),
    objectSchema(tie('schema')),
    tie('schema').map((choice) => ({ anyOf: [choice, { type: 'null' }] })),
    tie('schema').map((choice) => ({ allOf: [choice] }))
  )
}))

function stringSchema(): fc.Arbitrary<Schema> {
  const lengths = fc
    .tuple(fc.nat(20), fc.nat(20))
    .map(([least, more]) => ({ type: 'string', minLength: least, maxLength: least + more }))
  const formats = fc
    .constantFrom('uuid', 'date-time', 'date', 'email', 'uri')
    .map((format) => ({ type: 'string', format }))
  return fc.oneof(lengths, formats)
}

function numberSchema(): fc.Arbitrary<Schema> {
  return fc
    .tuple(fc.constantFrom('integer', 'number'), fc.integer({ min: -50, max: 50 }), fc.nat(40), fc.boolean())
    .map(([type, minimum, more, exclusive]) =>
      exclusive
        ? { type, exclusiveMinimum: minimum, maximum: minimum + more + 1 }
        : { type, minimum, maximum: minimum + more }
    )
}

function enumSchema(): fc.Arbitrary<Schema> {
  return fc
    .array(fc.oneof(fc.string(), fc.integer()), { minLength: 1, maxLength: 4 })
    .map((options) => ({ enum: [...new Set(options)] }))
}

function arraySchema(items: fc.Arbitrary<Schema>): fc.Arbitrary<Schema> {
  return fc
    .tuple(items, fc.nat(3), fc.nat(3))
    .map(([item, least, more]) => ({ type: 'array', items: item, minItems: least, maxItems: least + more }))
}

function objectSchema(member: fc.Arbitrary<Schema>): fc.Arbitrary<Schema> {
  const names = fc.constantFrom('title', 'tasks', 'score', 'agent', 'line', 'x')
  return fc
    .dictionary(names, member, { maxKeys: 4 })
    .chain((properties) =>
      fc
        .subarray(Object.keys(properties))
        .map((required) => ({ type: 'object', properties, required, additionalProperties: false }))
    )
}

test('what is generated is valid for the schema, whatever is offered for its places', (t) => {
  const offers = fc.oneof(
    fc.constant(undefined),
    fc.string({ maxLength: 60 }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.array(fc.string())
  )
  fc.assert(
    fc.property(anySchema, offers, fc.boolean(), (schema, offer, optional) => {
      const made = generate(schema, () => offer, optional)
      const validate = ajv.compile(schema)
      if (!validate(made)) throw new Error(`${JSON.stringify(made)} does not fit: ${ajv.errorsText(validate.errors)}`)
    }),
    { numRuns: 1_000 }
  )
  t.pass()
})

test('references and recursive schemas are followed', (t) => {
  const tree = {
    $defs: {
      node: {
        type: 'object',
        properties: { name: { type: 'string' }, children: { type: 'array', items: { $ref: '#/$defs/node' } } },
        required: ['name', 'children']
      }
    },
    $ref: '#/$defs/node'
  }
  const made = generate(tree, (path) => (path.at(-1) === 'name' ? 'leaf' : undefined))
  t.deepEqual(made, { name: 'leaf', children: [] })
  t.true(ajv.compile(tree)(made))
})

test('optional properties appear when something is offered for them', (t) => {
  const schema = { type: 'object', properties: { a: { type: 'string' }, b: { type: 'integer' } }, required: ['b'] }
  t.deepEqual(
    generate(schema, () => undefined),
    { b: 0 }
  )
  t.deepEqual(
    generate(schema, (path) => (path.at(-1) === 'a' ? 'x' : undefined)),
    { a: 'x', b: 0 }
  )
  t.deepEqual(
    generate(schema, () => undefined, true),
    { a: '', b: 0 }
  )
})
