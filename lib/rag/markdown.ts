import { type Block, block } from './block.ts'

/** The marks of a fence; behind backticks there are none any more. Looked for once, not once for each of the marks. */
const fenceLine = /^ {0,3}(`{3,}(?=[^`\r\u2028\u2029]*(?:[\r\u2028\u2029]|$))|~{3,})/
const atxHeading = /^ {0,3}(#{1,6})(?=[ \t]|$)/
const setextLine = /^ {0,3}(=+|-+)[ \t]*$/
const listItem = /^ {0,3}(?:[-*+]|\d{1,9}[.)])[ \t]/
const linkDefinition = /^ {0,3}\[[^\]]+\]:[ \t]*\S+/
const commentLine = /^ {0,3}<!--.*-->[ \t]*$/

/**
 * Markdown as blocks (CommonMark's structure, as far as cutting needs it): headings, paragraphs, list items with what
 * is indented below them, tables, fenced code in one piece. Link definitions and comments render to nothing and are
 * left out. Every block carries the headings it stands under. Time grows with the length of the text alone.
 * @param most tokens after which no further block is made
 */
export function markdownBlocks(text: string, most = Number.POSITIVE_INFINITY): Block[] {
  const blocks: Block[] = []
  const open: { level: number; title: string }[] = []
  let path: string[] = []
  let tokens = 0
  let held: string[] = []
  let fence: string | undefined

  const add = (body: string, title?: string) => {
    const made = block(body, path, title)
    tokens += made.tokens
    blocks.push(made)
  }
  const flush = () => {
    if (held.length === 0) return
    const body = held.join('')
    if (body.trim()) add(body)
    held = []
  }
  const heading = (level: number, title: string, source: string) => {
    flush()
    while (open.length > 0 && (open.at(-1) as { level: number }).level >= level) open.pop()
    path = open.map((above) => above.title)
    const plain = plainText(title)
    add(source, plain)
    if (!plain) return
    open.push({ level, title: plain })
    path = [...path, plain]
  }

  for (const line of linesOf(withoutMark(text))) {
    if (tokens > most) return blocks
    const bare = line.trimEnd()
    if (fence !== undefined) {
      held.push(line)
      if (closes(bare, fence)) fence = undefined
      continue
    }
    if (bare === '') {
      if (held.length > 0) held.push(line)
      continue
    }
    const sign = firstSign(bare)
    const opened = sign === '`' || sign === '~' ? fenceLine.exec(bare) : null
    const atx = sign === '#' ? atxHeading.exec(bare) : null
    const afterBlank = held.length > 0 && (held.at(-1) as string).trim() === ''
    const below = (line.startsWith('  ') || line.startsWith('\t')) && listItem.test(held[0] ?? '')
    const mayUnderline = (sign === '=' || sign === '-') && held.length === 1 && !listItem.test(held[0] as string)
    const setext = mayUnderline ? setextLine.exec(bare) : null
    if (opened) {
      if (afterBlank && !below) flush()
      fence = opened[1] as string
      held.push(line)
    } else if (atx) heading((atx[1] as string).length, bare.slice(atx[0].length), line)
    else if (setext && (held[0] as string).trim()) {
      const title = held[0] as string
      held = []
      heading((setext[1] as string).startsWith('=') ? 1 : 2, title.trim(), title + line)
    } else if (
      (sign === '<' && commentLine.test(bare)) ||
      (sign === '[' && (held.length === 0 || afterBlank) && linkDefinition.test(bare))
    ) {
      if (afterBlank) flush()
    } else {
      if ((afterBlank && !below) || listItem.test(line)) flush()
      held.push(line)
    }
  }
  flush()
  return blocks
}

/** Without a byte order mark, which is no character of the text (Unicode, 23.8): before a heading it would hide it. */
const withoutMark = (text: string): string => (text.startsWith('\uFEFF') ? text.slice(1) : text)

/** A line ends with a newline, a carriage return, or both (CommonMark 0.31.2, 2.1). */
function* linesOf(text: string): Generator<string> {
  // Where the next of each is; looked for again only when it has been passed, so that time stays linear.
  let newline = text.indexOf('\n')
  let carriage = text.indexOf('\r')
  for (let start = 0; start < text.length; ) {
    if (newline >= 0 && newline < start) newline = text.indexOf('\n', start)
    if (carriage >= 0 && carriage < start) carriage = text.indexOf('\r', start)
    const isAlone = carriage >= 0 && carriage + 1 !== newline && (newline < 0 || carriage < newline)
    const end = (isAlone ? carriage : newline) + 1 || text.length
    yield text.slice(start, end)
    start = end
  }
}

/** What a line begins with after up to three spaces. */
function firstSign(line: string): string | undefined {
  let at = 0
  while (at < 3 && line[at] === ' ') at += 1
  return line[at]
}

const closes = (line: string, fence: string): boolean => {
  const text = line.trim()
  return text.length >= fence.length && text === (fence[0] as string).repeat(text.length)
}

/** A heading as it reads: without its closing signs, emphasis, code marks and link targets. */
function plainText(markdown: string): string {
  const text = markdown
    .slice(0, 1_000)
    .trim()
    .replace(/(?:^|[ \t])#+$/, '')
  return withoutTargets(text)
    .replace(/[`*]|(?<!\w)_|_(?!\w)/g, '')
    .trim()
    .slice(0, 200)
}

/** Links and images as their texts: `![text](target)`, `[text][name]`, `[text]`. */
function withoutTargets(text: string): string {
  let plain = ''
  let at = 0
  for (let open = text.indexOf('['); open >= 0; open = text.indexOf('[', at)) {
    const close = text.indexOf(']', open)
    if (close < 0) break
    const from = open > at && text[open - 1] === '!' ? open - 1 : open
    plain += text.slice(at, from) + text.slice(open + 1, close)
    const sign = ends[text[close + 1] ?? '']
    const end = sign === undefined ? -1 : text.indexOf(sign, close + 2)
    at = end < 0 ? close + 1 : end + 1
  }
  return plain + text.slice(at)
}

/** What closes the target of a link. */
const ends: Record<string, string> = { '(': ')', '[': ']' }
