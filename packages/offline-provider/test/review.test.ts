import test from 'ava'
import { reviewMessage } from '../src/review.ts'
import { cpuMs } from '../../text/test/cpu-ms.ts'

const review = (code: string, language = 'javascript', task = '') =>
  reviewMessage(`${task}\n\n\`\`\`${language}\n${code}\n\`\`\``)
const lines = (code: string, language?: string, task?: string) =>
  review(code, language, task).issues.map(({ line, severity }) => `${line} ${severity}`)

test('sound code passes with full marks', (t) => {
  const javascript =
    "export const reverse = (text) =>\n  [...text].reverse().join('') // `${a}` == b\n\nconst pattern = /[({]/g\nconst note = `var x == ${[1].length}`"
  t.like(review(javascript), { verdict: 'pass', score: 100, issues: [] })
  const python = 'def reverse(text):\n    """Don\'t say == None here."""\n    return text[::-1]  # var x = (\n'
  t.like(review(python, 'python'), { verdict: 'pass', score: 100, issues: [] })
})

test('issues carry the line they are on', (t) => {
  const code =
    'export function add(a, b) {\n  var sum = a + b\n  if (sum == 3) console.log(sum)\n  // TODO later\n  return eval("sum")\n}'
  t.deepEqual(lines(code), ['2 warning', '3 warning', '3 info', '4 info', '5 error'])
  t.like(review(code), { verdict: 'fail' })
  t.deepEqual(lines('def f(a, unused, _b):\n    try:\n        return a == None\n    except:\n        pass', 'python'), [
    '1 info',
    '3 warning',
    '4 warning',
    '4 warning'
  ])
})

test('line numbers written before the lines are the ones that are said', (t) => {
  t.deepEqual(lines('41| const a = 1\n42| var b = a'), ['42 warning'])
  t.deepEqual(lines(' 9: const a = 1\n10: \n11: var b = a'), ['11 warning'])
})

test('brackets, strings and comments that do not close are errors', (t) => {
  t.deepEqual(lines('function f() {\n  return [1, 2\n}'), ['3 error'])
  t.deepEqual(lines("const a = 'open\nconst b = 1"), ['1 error'])
  t.deepEqual(lines('f()\n/* open'), ['2 error'])
  t.deepEqual(lines('def f():\n    return """open', 'python'), ['2 error'])
  t.deepEqual(lines('print(1))', 'python'), ['1 error', '1 info'])
})

test('a name the task asks for must be in the code, in either way of writing it', (t) => {
  const task = 'Implement the `toRoman` function. It returns a `string`.'
  t.deepEqual(lines('def to_roman(number):\n    return str(number)', 'python', task), [])
  t.deepEqual(lines('const other = 1', 'javascript', task), ['1 error'])
})

test('a swallowed error is a warning', (t) => {
  t.deepEqual(lines('try {\n  go()\n} catch (error) {\n}'), ['3 warning'])
})

test('no code at all fails and says so', (t) => {
  t.like(reviewMessage('Please review my code.'), { verdict: 'fail', score: 0 })
  t.is(reviewMessage('```js\n\n```').issues.length, 1)
})

test('absurd sources are looked at in a moment', (t) => {
  const sources = [
    '('.repeat(200_000),
    `const a = "${'x'.repeat(200_000)}"`,
    'function f(a) {\n'.repeat(5_000),
    '`${'.repeat(80_000),
    '/'.repeat(100_000)
  ]
  for (const source of sources) t.true(cpuMs(() => review(source)) < 2_000)
})
