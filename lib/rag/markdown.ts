import { type Block, block } from './block.ts'

const fenceLine = /^ {0,3}(`{3,}(?!.*`)|~{3,})/
const atxHeading = /^ {0,3}(#{1,6})(?=[ \t]|$)/
const setextLine = /^ {0,3}(=+|-+)[ \t]*$/
const listItem = /^ {0,3}(?:[-*+]|\d{1,9}[.)])[ \t]/
const linkDefinition = /^ {0,3}\[[^\]]+\]:[ \t]*\S+/
const commentLine = /^ {0,3}<!--.*-->[ \t]*$/

/**
 * Markdown as blocks (CommonMark's structure, as far as cutting needs it): headings, paragraphs, list items with what
 * is indented below them, tables, fenced code in one piece. Link definitions and comments render to nothing and are
 * left out. Every block carries the headings it stands under.
 */
export function markdownBlocks(text: string): Block[] {
  const lines = text.split(/(?<=\n)/)
  const blocks: Block[] = []
  const open: { level: number; title: string }[] = []
  let held: string[] = []
  let fence: string | undefined

  const path = () => open.map(({ title }) => title)
  const flush = () => {
    const body = held.join('')
    if (body.trim()) blocks.push(block(body, path()))
    held = []
  }
  const heading = (level: number, title: string, source: string) => {
    flush()
    while (open.length > 0 && (open.at(-1) as { level: number }).level >= level) open.pop()
    const plain = plainText(title)
    blocks.push(block(source, path(), plain))
    if (plain) open.push({ level, title: plain })
  }

  for (const line of lines) {
    const bare = line.trimEnd()
    if (fence !== undefined) {
      held.push(line)
      if (closes(bare, fence)) fence = undefined
      continue
    }
    const opened = fenceLine.exec(bare)
    const afterBlank = held.length > 0 && (held.at(-1) as string).trim() === ''
    const below = /^(?: {2,}|\t)/.test(line) && listItem.test(held[0] ?? '')
    const atx = atxHeading.exec(bare)
    const setext = held.length === 1 && !listItem.test(held[0] as string) ? setextLine.exec(bare) : null
    if (opened) {
      if (afterBlank && !below) flush()
      fence = opened[1] as string
      held.push(line)
    } else if (atx) heading((atx[1] as string).length, bare.slice(atx[0].length), line)
    else if (setext && (held[0] as string).trim()) {
      const title = held[0] as string
      held = []
      heading((setext[1] as string).startsWith('=') ? 1 : 2, title.trim(), title + line)
    } else if (commentLine.test(bare) || (linkDefinition.test(bare) && (held.length === 0 || afterBlank))) {
      if (afterBlank) flush()
    } else if (bare === '') {
      if (held.length > 0) held.push(line)
    } else {
      if (listItem.test(line) || (afterBlank && !below)) flush()
      held.push(line)
    }
  }
  flush()
  return blocks
}

const closes = (line: string, fence: string): boolean => {
  const text = line.trim()
  return text.length >= fence.length && text === (fence[0] as string).repeat(text.length)
}

/** A heading as it reads: without its closing signs, emphasis, code marks and link targets. */
function plainText(markdown: string): string {
  return markdown
    .slice(0, 1_000)
    .trim()
    .replace(/(?:^|[ \t])#+$/, '')
    .replace(/!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])?/g, '$1')
    .replace(/[`*]|(?<!\w)_|_(?!\w)/g, '')
    .trim()
    .slice(0, 200)
}
