import { setImmediate as nextTurn } from 'node:timers/promises'
import test from 'ava'
import { classify } from '../../../lib/jobs/classify.ts'
import { createChunkPool } from '../../../lib/rag/chunk-pool.ts'
import { createChunker } from '../../../lib/rag/chunker.ts'
import { TooComplex } from '../../../lib/sharing/thread-pool.ts'

const mib = 1_048_576
const prose = '## A part\n\nThe quick brown fox jumps over the lazy dog, and it does so again.\n\n'
const repeated = (text: string, chars: number) => text.repeat(Math.ceil(chars / text.length)).slice(0, chars)

test('a long text is cut on a thread where it would be cut here, from its last version too', async (t) => {
  const pool = createChunkPool()
  t.teardown(pool.close)
  const text = repeated(prose, 60_000)
  const here = createChunker()
  const old = await here.chunk({ kind: 'markdown', text })
  t.deepEqual(await pool.chunk({ kind: 'markdown', text }), old)
  const edited = { kind: 'markdown' as const, text: `${text}\n\nAnd more.`, old }
  t.deepEqual(await pool.chunk(edited, { owner: 'a' }), await here.chunk(edited))
  const code = {
    kind: 'code' as const,
    language: 'js',
    text: repeated('function f(a) {\n  return a + 1\n}\n\n', 8_000)
  }
  t.deepEqual(await pool.chunk(code, { owner: 'a' }), await here.chunk(code))
})

test('5 MiB are cut while the process does other things', async (t) => {
  const pool = createChunkPool({ deadlineMs: 100_000 })
  t.teardown(pool.close)
  for (const text of ['`', 'A sentence of some words, which is ordinary. ']) {
    let turns = 0
    let done = false
    const cut = pool.chunk({ kind: 'markdown', text: repeated(text, 5 * mib) }, { owner: 'a' }).finally(() => {
      done = true
    })
    while (!done) {
      await nextTurn()
      turns += 1
    }
    const chunks = await cut
    t.true(chunks.length > 100 && chunks.length <= 5_000, text)
    t.true(turns > 100, text)
  }
})

test('a text that takes longer than it may fails by name and for good, and the next one is cut', async (t) => {
  const pool = createChunkPool({ deadlineMs: 1 })
  t.teardown(pool.close)
  const error = await t.throwsAsync(pool.chunk({ kind: 'markdown', text: repeated('#\n', mib) }, { owner: 'a' }), {
    instanceOf: TooComplex
  })
  const { code, retryable } = classify(error)
  t.deepEqual({ code, retryable }, { code: 'too_complex', retryable: false })
  t.is((await pool.chunk({ kind: 'markdown', text: prose }, { owner: 'a' })).length, 1)
})
