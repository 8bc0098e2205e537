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
