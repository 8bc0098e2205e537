import test from 'ava'
import { markdownBlocks } from '../../../lib/rag/markdown.ts'

const pathsOf = (text: string) => markdownBlocks(text).map(({ path, text: body }) => [path.join(' › '), body.trim()])

test('headings are found whatever ends the lines, and behind a byte order mark', (t) => {
  const lines = ['# Loops', '', 'They go on.', '', 'Ending', '------', '', 'They end.', '']
  const expected = pathsOf(lines.join('\n'))
  t.true(expected.some(([path]) => path === 'Loops › Ending'))
  for (const end of ['\r\n', '\r']) {
    const found = pathsOf(lines.join(end)).map(([path, body]) => [path, (body as string).replaceAll(end, '\n')])
    t.deepEqual(found, expected, JSON.stringify(end))
  }
  t.deepEqual(pathsOf(`\uFEFF${lines.join('\n')}`), expected)
})

test('mixed ends of lines lose nothing of the text', (t) => {
  const text = 'one\rtwo\n# three\r\nfour\r\r\nfive\n\rsix'
  t.is(
    markdownBlocks(text)
      .map((block) => block.text)
      .join(''),
    text
  )
})

const headingsOf = (text: string) =>
  markdownBlocks(text).flatMap(({ heading }) => (heading === undefined ? [] : [heading]))
const bodiesOf = (text: string) => markdownBlocks(text).map((block) => block.text.trimEnd())

for (const [title, text, headings] of [
  ['a paragraph of several lines is a heading when it is underlined', 'Loops\nand lists\n===\n', ['Loops and lists']],
  ['an underline below a list item is a break', '- Loops\n---\n', []],
  ['an underline below a quotation is a break', '> Loops\n---\n', []],
  ['signs that close a heading are no part of it', '## Loops ##  \n\n# C#\n\n# ##\n', ['Loops', 'C#', '']],
  ['seven signs are no heading, nor one without space', '####### Loops\n\n#loops\n', []],
  ['code by indentation has no headings', 'Run:\n\n    # make\n\tmake\n', []],
  ['a fence in a list item hides what looks like a heading', '1. Run:\n\n   ```\n   # a\n   ```\n\n# b\n', ['b']],
  ['a fence needs as many signs to end as to begin', '````\n```\n# make\n````\n\n# Loops\n', ['Loops']],
  ['a heading in a quotation or a list item opens no section', '> # Quoted\n\n- # Item\n\n  ## Part\n', []],
  ['HTML hides what looks like a heading up to the next blank line', '<div>\n# a\n</div>\n\n# Loops\n', ['Loops']],
  ['a comment hides headings until it ends', '<!--\n\n# a\n\n-->\n# Loops\n', ['Loops']],
  ['definitions of links are no text of a heading', '[a]: /b\nLoops\n===\n', ['Loops']],
  ['front matter is no heading', '---\ntitle: Loops\ntags: a\n---\n\n# Loops\n', ['Loops']]
] as const) {
  test(title, (t) => {
    t.deepEqual(headingsOf(text), [...headings])
  })
}

for (const [title, text, heading] of [
  ['emphasis', '*Loops* and **lists** by __name_of_list__', 'Loops and lists by name_of_list'],
  ['signs that are no emphasis', '2 * 3 * 4, *args and snake_case_name', '2 * 3 * 4, *args and snake_case_name'],
  ['code', '`*args` and ``a`b``', '*args and a`b'],
  ['links and images', '[Loops](a "b") ![in](c) [lists][x] <https://a.test>', 'Loops in lists https://a.test'],
  ['brackets without a definition', '[Unreleased] and [1]', '[Unreleased] and [1]'],
  ['escapes', '\\*Loops\\* \\# \\[a](b)', '*Loops* # [a](b)'],
  ['character references', 'Gr&ouml;&szlig;e &amp; &#87;ert &#x41; &none;', 'Größe & Wert A &none;'],
  ['tags', '<a name="loops"></a>Loops <br/>', 'Loops']
] as const) {
  test(`a heading is carried as it reads: ${title}`, (t) => {
    t.deepEqual(headingsOf(`# ${text}\n\n[x]: /y\n`), [heading])
  })
}

for (const [title, text, bodies] of [
  [
    'code follows a paragraph without a blank line',
    'Run:\n```\nmake\n```\nDone.\n',
    ['Run:', '```\nmake\n```', 'Done.']
  ],
  ['a list item goes on without indentation', '- one\ntwo\n- three\n', ['- one\ntwo', '- three']],
  [
    'a list item holds what is indented below it',
    '- one\n\n  two\n  - three\n\nfour\n',
    ['- one\n\n  two\n  - three', 'four']
  ],
  ['a number other than 1 does not interrupt a paragraph', 'In\n1986. A year.\n', ['In\n1986. A year.']],
  ['a quotation goes on without its sign', '> one\ntwo\n\nthree\n', ['> one\ntwo', 'three']],
  ['a break stands alone', 'one\n***\ntwo\n', ['one', '***', 'two']],
  ['a definition over several lines is left out', '[a]: /b\n  "title\n  of it"\none [a]\n', ['one [a]']]
] as const) {
  test(`blocks end where CommonMark ends them: ${title}`, (t) => {
    t.deepEqual(bodiesOf(text), [...bodies])
  })
}

test('any nesting of lists and quotations is read', (t) => {
  const text = `${'> - '.repeat(5_000)}a\n\n# Loops\n`
  t.deepEqual(headingsOf(text), ['Loops'])
})
