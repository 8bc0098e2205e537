import test from 'ava'
import { countTokens } from '../../../lib/models/tokens.ts'
import { cutAtTokens, estimateTokens } from '../../../lib/text/token-estimate.ts'

const samples = {
  prose:
    'Sorting arranges the items of a list in order. A stable sort keeps equal items in the order in which they came. '.repeat(
      20
    ),
  code: 'export function add(left: number, right: number): number {\n  return left + right\n}\n\n'.repeat(20),
  german: 'Die Schleife endet, sobald die Bedingung nicht mehr zutrifft. '.repeat(20),
  russian:
    '\u0426\u0438\u043a\u043b \u0437\u0430\u043a\u0430\u043d\u0447\u0438\u0432\u0430\u0435\u0442\u0441\u044f. '.repeat(
      20
    ),
  digits: '3.14159 2.71828 1.41421 '.repeat(40)
}

test('an estimate is near the count of the tokenizer, in prose and code and other scripts', (t) => {
  for (const [name, text] of Object.entries(samples)) {
    const ratio = estimateTokens(text) / countTokens(text)
    t.true(ratio > 0.7 && ratio < 1.4, `${name}: ${ratio.toFixed(2)}`)
  }
})

test('a cut leaves at most the tokens asked for, and at least something', (t) => {
  for (const text of Object.values(samples)) {
    const end = cutAtTokens(text, 0, 50)
    t.true(end > 0 && estimateTokens(text.slice(0, end)) <= 50)
  }
  t.is(cutAtTokens('short', 0, 50), 5)
  t.true(cutAtTokens('x'.repeat(1_000), 0, 0) > 0)
})
