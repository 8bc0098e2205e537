import test from 'ava'
import fc from 'fast-check'
import { DIMENSIONS, embed, similarity } from '../src/embed.ts'
import { cpuMs } from '../../text/test/cpu-ms.ts'

const likeness = (a: string, b: string) => similarity(embed(a), embed(b))

test('every text has an embedding of length 1, in every number of dimensions', (t) => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 400 }),
      fc.integer({ min: 1, max: DIMENSIONS }),
      (text, dimensions) => {
        const vector = embed(text, dimensions)
        return vector.length === dimensions && Math.abs(similarity(vector, vector) - 1) < 1e-5
      }
    ),
    { numRuns: 1_000 }
  )
  for (const text of ['', ' ', '!!!', '\u0000']) t.true(Math.abs(similarity(embed(text), embed(text)) - 1) < 1e-6)
})

test('the same text has the same embedding on every machine', (t) => {
  // Written down once; a change here changes every stored vector and needs a new model name.
  const vector = embed('Recursion: a function that calls itself.')
  t.deepEqual(
    Array.from(vector.slice(0, 4), (value) => value.toFixed(6)),
    FIRST_FOUR
  )
})

const FIRST_FOUR = ['-0.032602', '0.043500', '-0.042489', '-0.014683']

test('case, diacritics, endings and the way identifiers are written do not matter much', (t) => {
  t.true(likeness('CAFÉ', 'cafe') > 0.99)
  t.true(likeness('encoding strings', 'encoded string') > 0.9)
  t.true(likeness('reverseString', 'reverse_string') > 0.99)
  t.true(likeness('binary serach tree', 'binary search tree') > 0.4)
})

test('languages written without spaces are compared by their characters', (t) => {
  t.true(
    likeness('二分探索木とは何ですか', '二分探索木は木構造の一種です') >
      likeness('二分探索木とは何ですか', '天気はいいですね')
  )
})

test('texts about the same thing are nearer than texts that share everyday words', (t) => {
  const question = 'How do I reverse a linked list?'
  const right = 'Reverse the nodes of a singly linked list in place.'
  const wrong = 'How do I write a function that returns the sum of a number?'
  t.true(likeness(question, right) > likeness(question, wrong) + 0.2)
})

test('a long text about a thing is not lost against a short one about another', (t) => {
  const filler = 'Write some tests, run them often and read the messages. '.repeat(40)
  const long = `Roman numerals\n\nConvert numbers into Roman numerals. ${filler} The Roman numeral of 9 is IX. ${filler}`
  t.true(
    likeness('convert a number to roman numerals', long) >
      likeness('convert a number to roman numerals', 'Convert miles to kilometres.')
  )
})

test('fewer dimensions are the leading ones, scaled to length 1', (t) => {
  const whole = embed('closures capture variables')
  const short = embed('closures capture variables', 256)
  const scale = Math.hypot(...whole.slice(0, 256))
  for (let at = 0; at < 256; at++) t.true(Math.abs((whole[at] as number) / scale - (short[at] as number)) < 1e-6)
})

test('2,000 short texts take less than a second, a megabyte without a space less than 200 ms', (t) => {
  embed('the word tables are read with the first text')
  const short = Array.from(
    { length: 2_000 },
    (_, at) => `Calculate the Hamming distance between two DNA strands, number ${at}.`
  )
  t.true(cpuMs(() => short.map((text) => embed(text))) < 1_000)
  const long = Array.from({ length: 1_000_000 }, (_, at) => String.fromCharCode(97 + ((at * 31) % 26))).join('')
  t.true(cpuMs(() => embed(long)) < 200)
})
