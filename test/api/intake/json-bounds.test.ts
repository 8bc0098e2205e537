import test from 'ava'
import fc from 'fast-check'
import { createJsonBounds } from '../../../api/intake/json-bounds.ts'

const roomy = { mostValues: Number.MAX_SAFE_INTEGER, mostDeep: Number.MAX_SAFE_INTEGER }

/** Depth and values of a value, counted on the value itself. */
function measure(value: unknown): { depth: number; values: number } {
  if (typeof value !== 'object' || value === null) return { depth: 0, values: 0 }
  const inner = Object.values(value)
  const measured = inner.map(measure)
  return {
    depth: 1 + Math.max(0, ...measured.map(({ depth }) => depth)),
    values: inner.length + measured.reduce((sum, { values }) => sum + values, 0)
  }
}

/** Feeds a text in pieces of a few bytes. */
function feed(text: string, size: number, bounds: Partial<typeof roomy>): string | undefined {
  const look = createJsonBounds({ ...roomy, ...bounds })
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) {
    const problem = look(bytes.subarray(at, at + size))
    if (problem) return problem
  }
  return undefined
}

test('exactly what JSON has in depth and values is counted, in whatever pieces it comes', (t) => {
  fc.assert(
    fc.property(
      fc.jsonValue({ maxDepth: 8, noUnicodeString: false }),
      fc.integer({ min: 1, max: 7 }),
      fc.constantFrom(undefined, 2, '\t \n'),
      (value, size, indent) => {
        const text = JSON.stringify(value, undefined, indent)
        const { depth, values } = measure(value)
        t.is(feed(text, size, { mostDeep: depth, mostValues: values }), undefined)
        if (values > 0) t.is(feed(text, size, { mostValues: values - 1 }), `must hold at most ${values - 1} values`)
        if (depth > 0) t.is(feed(text, size, { mostDeep: depth - 1 }), `must be nested at most ${depth - 1} deep`)
      }
    ),
    { numRuns: 300 }
  )
})

test('brackets, commas and quotes within strings are text', (t) => {
  const value = { 'a[,{"': '[[[[{{{{,,,,\\"\\\\"', b: '\\' }
  t.is(feed(JSON.stringify(value), 1, { mostDeep: 1, mostValues: 2 }), undefined)
})

test('what is no JSON is bounded the same way', (t) => {
  const look = createJsonBounds({ mostValues: 1_000 })
  t.is(look(Buffer.from('['.repeat(65))), 'must be nested at most 64 deep')
  t.is(feed('{"a":'.repeat(65), 3, { mostDeep: 64 }), 'must be nested at most 64 deep')
  t.is(feed(','.repeat(11), 3, { mostValues: 10 }), 'must hold at most 10 values')
  t.is(feed(']'.repeat(1_000) + '['.repeat(1_001), 7, { mostDeep: 64 }), undefined)
})
