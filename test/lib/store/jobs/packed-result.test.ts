import test from 'ava'
import { packResult, unpackResult } from '../../../../lib/store/jobs/packed-result.ts'

const vector = Array.from({ length: 1536 }, (_, n) => Math.fround(Math.sin(n)))

test('vectors of a result are stored in a form that takes a third, and come back as they were', (t) => {
  const result = { model: 'm', dimensions: 1536, embeddings: [vector, vector.toReversed()], reused: 1 }
  const packed = packResult(result)
  t.deepEqual(unpackResult(JSON.parse(JSON.stringify(packed))), result)
  t.true(JSON.stringify(packed).length < JSON.stringify(result).length / 2)
})

test('results without vectors, and vectors that were asked for as base64, are stored as they are', (t) => {
  for (const result of [
    null,
    'text',
    [1],
    { chunks: 3 },
    { embeddings: 'none' },
    { model: 'm', embeddings: ['AAAA', 'AAAA'] }
  ]) {
    t.is(packResult(result), result)
    t.is(unpackResult(result), result)
  }
})
