import test from 'ava'
import { createChunker } from '../../../lib/rag/chunker.ts'
import type { Chunk } from '../../../lib/rag/chunk.ts'
import { estimateTokens } from '../../../lib/text/token-estimate.ts'

const chunker = createChunker()
const markdown = (text: string, old?: Chunk[]) => chunker.chunk({ kind: 'markdown', text, ...(old ? { old } : {}) })
const words = (count: number, word = 'word') => Array.from({ length: count }, (_, index) => `${word}${index}`).join(' ')
const paragraph = (name: string) => `The ${name} paragraph. ${words(60, name)}`

test('a short text is one chunk', async (t) => {
  t.deepEqual(await markdown('Just a sentence.'), [{ heading: '', body: 'Just a sentence.' }])
})

test('an empty text is one empty chunk, so that a title alone can be found', async (t) => {
  t.deepEqual(await markdown(' \n\n'), [{ heading: '', body: '' }])
})

test('chunks follow the sections and carry the headings above them', async (t) => {
  const chunks = await markdown(
    `# Loops\n\n${words(70, 'intro')}\n\n## While loops\n\n${words(150)}\n\n## For loops\n\n### Ranges\n\n${words(150)}\n\n### Lists #\n\n${words(180)}\n`
  )
  t.deepEqual(
    chunks.map(({ heading, body }) => [heading, body.split(/\s/)[0]]),
    [
      ['Loops', 'intro0'],
      ['Loops > While loops', 'word0'],
      ['Loops > For loops > Ranges', 'word0'],
      ['Loops > For loops > Lists', 'word0']
    ]
  )
})

test('small sections below the same heading share a chunk and keep their own headings in it', async (t) => {
  const text = '# Guide\n\n## One\n\nFirst.\n\n## Two\n\nSecond.\n'
  const [chunk, ...others] = await markdown(text)
  t.deepEqual(others, [])
  t.is(chunk?.heading, 'Guide')
  t.true(chunk?.body.includes('## One') && chunk.body.includes('## Two'))
})

test('headings in other notations are headings, in fenced code they are not', async (t) => {
  const chunks = await markdown(
    `Title\n=====\n\n${words(130)}\n\nPart\n----\n\n\`\`\`sh\n# not a heading\n\nrun\n\`\`\`\n\n${words(200)}\n`
  )
  t.is(chunks.at(-1)?.heading, 'Title > Part')
  t.true(chunks.some(({ body }) => body.includes('# not a heading\n\nrun')))
})

test('link definitions and comments, which render to nothing, are left out', async (t) => {
  const [chunk] = await markdown('<!-- hidden -->\nSee [it][ref].\n\n[ref]: https://example.test/page\n')
  t.is(chunk?.body, 'See [it][ref].')
})

test('no chunk is longer than 400 tokens or so, and nothing of the text is lost', async (t) => {
  const text = `# A\n\n${words(3_000)}\n\n- ${words(900, 'item')}\n\n${'sentence here. '.repeat(800)}`
  const chunks = await markdown(text)
  t.true(chunks.every(({ body }) => estimateTokens(body) <= 410))
  const squeeze = (value: string) => value.replace(/\s+/g, '')
  t.is(squeeze(chunks.map(({ body }) => body).join('')), squeeze(text.replace('# A', '')))
})

test('one changed paragraph of fifty changes at most two chunks, whatever happens to it', async (t) => {
  const names = Array.from({ length: 50 }, (_, index) => `p${String.fromCharCode(97 + (index % 26))}x${index}y`)
  const texts = names.map(paragraph)
  const old = await markdown(texts.join('\n\n'))
  const stored = new Set(old.map((chunk) => JSON.stringify(chunk)))
  t.true(old.length > 8)
  const paid = async (changed: string[]) =>
    (await markdown(changed.join('\n\n'), old)).filter((chunk) => !stored.has(JSON.stringify(chunk))).length
  for (let at = 0; at < 50; at += 1) {
    const withPart = (...part: string[]) => [...texts.slice(0, at), ...part, ...texts.slice(at + 1)]
    t.true((await paid(withPart(`${texts[at]} One more sentence.`))) <= 2)
    t.true((await paid(withPart('Something else entirely.'))) <= 2)
    t.true((await paid(withPart(`${texts[at]} ${words(60, 'more')}`))) <= 2)
    t.true((await paid(withPart())) <= 2)
    t.true((await paid(withPart(texts[at] as string, 'An inserted paragraph.'))) <= 2)
  }
  t.is(await paid(texts), 0)
})

test('a small remainder joins its neighbour, so that many edits do not leave crumbs', async (t) => {
  let texts = Array.from({ length: 30 }, (_, index) => paragraph(`p${index}q`))
  let chunks = await markdown(texts.join('\n\n'))
  for (let round = 0; round < 60; round++) {
    const at = (round * 7) % texts.length
    texts = round % 3 === 0 ? texts.toSpliced(at, 0, `Short ${round}.`) : texts.with(at, `${paragraph(`r${round}s`)}`)
    chunks = await markdown(texts.join('\n\n'), chunks)
  }
  const fresh = await markdown(texts.join('\n\n'))
  t.true(chunks.length <= fresh.length * 1.6, `${chunks.length} chunks, ${fresh.length} when cut anew`)
})

const source = `import x from 'y'

/** Says hello. */
export function hello(name) {
${'  console.log("a line of some length", name)\n'.repeat(30)}}

export class Counter {
  increment() {
${'    this.value = this.value + 1 // one more\n'.repeat(25)}  }

  /** Down. */
  decrement() {
${'    this.value = this.value - 1 // one less\n'.repeat(25)}  }
}
`

test('code is cut between functions, comments stay with what they describe, and names lead into classes', async (t) => {
  const chunks = await chunker.chunk({ kind: 'code', text: source, language: 'JavaScript' })
  const down = chunks.find(({ body }) => body.includes('decrement()'))
  t.is(down?.heading, 'Counter')
  t.true(down?.body.trimStart().startsWith('/** Down. */'))
  t.true(chunks.some(({ body }) => body.includes('/** Says hello. */\nexport function hello')))
})

test('each language with a grammar is cut at its own definitions', async (t) => {
  const body = (line: string) => `${line}\n`.repeat(45)
  const texts: Record<string, string> = {
    python: `def one():\n${body('    total = total + 1')}\ndef two():\n${body('    total = total - 1')}`,
    go: `package p\n\nfunc one() {\n${body('\ttotal = total + 1')}}\n\nfunc two() {\n${body('\ttotal = total - 1')}}\n`,
    rust: `fn one() {\n${body('    total = total + 1;')}}\n\nfn two() {\n${body('    total = total - 1;')}}\n`,
    ruby: `def one\n${body('  total = total + 1')}end\n\ndef two\n${body('  total = total - 1')}end\n`,
    cobol: `PROC one\n${body('    ADD 1 TO total.')}\n\nPROC two\n${body('    SUBTRACT 1 FROM total.')}`
  }
  for (const [language, text] of Object.entries(texts)) {
    const chunks = await chunker.chunk({ kind: 'code', text, language })
    t.true(
      chunks.some((chunk) => /two/.test(chunk.body.split('\n')[0] ?? '')),
      language
    )
  }
})

test('a program that does not parse is cut all the same', async (t) => {
  const text = `function ( {{{\n${'broken [ line\n'.repeat(400)}`
  const chunks = await chunker.chunk({ kind: 'code', text, language: 'javascript' })
  t.true(chunks.length > 2)
  t.is(
    chunks
      .map(({ body }) => body)
      .join('')
      .replace(/\s+/g, ''),
    text.replace(/\s+/g, '')
  )
})

test.serial('a megabyte without a space takes less than 200 ms, however it is made up', async (t) => {
  const absurd = {
    letters: 'a'.repeat(1_000_000),
    base64: Buffer.from(Array.from({ length: 750_000 }, (_, index) => (index * 7_919) % 256)).toString('base64'),
    han: '\u6570'.repeat(1_000_000),
    marks: '#'.repeat(1_000_000),
    brackets: '['.repeat(1_000_000),
    backticks: '`'.repeat(1_000_000)
  }
  for (const kind of ['markdown', 'code'] as const) {
    await chunker.chunk({ kind, text: 'def warm(): pass', language: 'python' })
    for (const [name, text] of Object.entries(absurd)) {
      const took: number[] = []
      for (let round = 0; round < 3; round++) {
        const start = process.threadCpuUsage()
        const chunks = await chunker.chunk({ kind, text, language: 'python' })
        const { user, system } = process.threadCpuUsage(start)
        took.push((user + system) / 1_000)
        t.true(chunks.length <= 5_000)
      }
      t.true(Math.min(...took) < 200, `${kind} ${name}: ${Math.round(Math.min(...took))} ms`)
    }
  }
})

test('a surrogate pair is never cut in two', async (t) => {
  const chunks = await markdown('\u{1F600}'.repeat(20_000))
  t.true(chunks.length > 10)
  t.true(chunks.every(({ body }) => body.isWellFormed()))
})
