import test from 'ava'
import fc from 'fast-check'
import { encode } from 'gpt-tokenizer/encoding/o200k_base'
import { countTokens, tokenPieces } from '../src/tokens.ts'
import { cpuMs } from './cpu-ms.ts'

const exact = (text: string) => encode(text, { disallowedSpecial: new Set() }).length

test('ordinary text counts exactly as the tokenizer counts it', (t) => {
  const prose =
    'The quick brown fox, having seen "enough", jumps over 17 lazy dogs.\n\n- naïve café\n- 日本語\n'.repeat(200)
  t.is(countTokens(prose), exact(prose))
})

test('text that names special tokens is counted as ordinary text', (t) => {
  t.notThrows(() => countTokens('<|endoftext|> and <|im_start|>'))
  t.true(countTokens('<|endoftext|>') > 1)
})

test('a megabyte without a space counts in under 200 ms and never as more tokens than bytes', (t) => {
  const letters = Array.from({ length: 1_000_000 }, (_, at) =>
    String.fromCharCode(97 + ((at * 7919 * (at + 3)) % 26))
  ).join('')
  countTokens('the tables are read with the first text')
  for (const text of [
    letters,
    'a'.repeat(1_000_000),
    '1'.repeat(1_000_000),
    '👩‍👩‍👧'.repeat(100_000),
    ' '.repeat(1_000_000)
  ]) {
    const tokens = countTokens(text)
    t.true(cpuMs(() => countTokens(text)) < 200)
    t.true(tokens > 0 && tokens <= Buffer.byteLength(text))
    t.is(countTokens(text), tokens)
  }
})

test('pieces joined are the text, and their tokens are its tokens', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      const pieces = tokenPieces(text)
      const tokens = pieces.reduce((sum, piece) => sum + piece.tokens, 0)
      return (
        pieces.map((piece) => piece.text).join('') === text.toWellFormed() &&
        tokens === countTokens(text.toWellFormed())
      )
    }),
    { numRuns: 2_000 }
  )
  t.pass()
})
