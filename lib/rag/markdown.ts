import { type Block, block } from './block.ts'
import { plainText } from './markdown/inline.ts'
import { markdownSpans } from './markdown/spans.ts'

/** Characters of a heading that are read, and those that are carried to what stands under it. */
const mostRead = 1_000
const mostCarried = 200

/**
 * Markdown as blocks (CommonMark 0.31.2): headings, paragraphs, quotations, code, and list items with what they hold, each
 * in one piece. Link definitions and comments render to nothing and are left out. Every block carries the headings it
 * stands under. Time grows with the length of the text alone.
 * @param most tokens after which no further block is made
 */
export function markdownBlocks(text: string, most = Number.POSITIVE_INFINITY): Block[] {
  const source = withoutMark(text)
  const isDefined = definedIn(source)
  const blocks: Block[] = []
  const open: { level: number; title: string }[] = []
  let path: string[] = []
  let tokens = 0

  const add = (body: string, title?: string) => {
    const made = block(body, path, title)
    tokens += made.tokens
    blocks.push(made)
  }
  for (const span of markdownSpans(source)) {
    if (tokens > most) return blocks
    const body = source.slice(span.from, span.to)
    if (span.kind === 'heading') {
      while (open.length > 0 && (open.at(-1) as { level: number }).level >= span.level) open.pop()
      path = open.map((above) => above.title)
      const title = plainText(span.title.slice(0, mostRead), isDefined).slice(0, mostCarried)
      add(body, title)
      if (!title) continue
      open.push({ level: span.level, title })
      path = [...path, title]
    } else if (!rendersToNothing(span.kind, body)) add(body)
  }
  return blocks
}

/** Without a byte order mark, which is no character of the text (Unicode, 23.8): before a heading it would hide it. */
const withoutMark = (text: string): string => (text.startsWith('\uFEFF') ? text.slice(1) : text)

/** Which labels of links a text defines; it is read for them when a heading asks first. */
function definedIn(text: string): (label: string) => boolean {
  let labels: Set<string> | undefined
  return (label) => {
    if (!labels) {
      const found = new Set<string>()
      if (text.includes(']:')) for (const _ of markdownSpans(text, (each) => found.add(each)));
      labels = found
    }
    return labels.has(label)
  }
}

function rendersToNothing(kind: 'definitions' | 'html' | 'text', body: string): boolean {
  if (kind !== 'html') return kind === 'definitions' || body.trim() === ''
  const html = body.trim()
  return html.startsWith('<!--') && html.indexOf('-->', 2) === html.length - 3
}
