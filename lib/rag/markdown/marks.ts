import { tagEnd } from './tag.ts'

/** What a line may begin, told by its text from the first character that is no space (CommonMark 0.31.2, 4 and 5). */

export type Fence = { sign: string; length: number }
export type ListMark = { length: number; canInterrupt: boolean }

/** An opening fence (4.5): behind backticks there are none any more. */
export function fenceOf(rest: string): Fence | undefined {
  const sign = rest[0]
  if (sign !== '`' && sign !== '~') return undefined
  const length = runOf(rest, sign)
  if (length < 3 || (sign === '`' && rest.includes('`', length))) return undefined
  return { sign, length }
}

export function closesFence(rest: string, { sign, length }: Fence): boolean {
  const run = runOf(rest, sign)
  return run >= length && isSpace(rest.slice(run))
}

/** A heading with signs before it (4.2), and its text without those that close it. */
export function atxHeadingOf(rest: string): { level: number; title: string } | undefined {
  if (rest[0] !== '#') return undefined
  const level = runOf(rest, '#')
  const next = rest[level]
  if (level > 6 || (next !== undefined && next !== ' ' && next !== '\t')) return undefined
  const title = trimmed(rest.slice(level))
  let end = title.length
  while (title[end - 1] === '#') end -= 1
  const closed = end === 0 || title[end - 1] === ' ' || title[end - 1] === '\t'
  return { level, title: closed ? trimmed(title.slice(0, end)) : title }
}

/** The level of a heading that this line underlines (4.3). */
export function underlineOf(rest: string): 1 | 2 | undefined {
  const sign = rest[0]
  if ((sign !== '=' && sign !== '-') || !isSpace(rest.slice(runOf(rest, sign)))) return undefined
  return sign === '=' ? 1 : 2
}

/** Three or more of one sign, with nothing but space between (4.1). */
export function isBreak(rest: string): boolean {
  const sign = rest[0]
  if (sign !== '*' && sign !== '-' && sign !== '_') return false
  let count = 0
  for (let at = 0; at < rest.length; at++) {
    if (rest[at] === sign) count += 1
    else if (rest[at] !== ' ' && rest[at] !== '\t') return false
  }
  return count >= 3
}

/** The mark of a list item (5.2). Only one with text behind it, and number 1 of a numbered list, ends a paragraph. */
export function listMarkOf(rest: string): ListMark | undefined {
  if (!'-*+0123456789'.includes(rest[0] ?? ' ')) return undefined
  const digits = digitsOf(rest)
  const length = digits.length + 1
  const sign = rest[digits.length]
  if (digits === '' ? sign !== '-' && sign !== '*' && sign !== '+' : sign !== '.' && sign !== ')') return undefined
  const next = rest[length]
  if (next !== undefined && next !== ' ' && next !== '\t') return undefined
  return { length, canInterrupt: (digits === '' || Number(digits) === 1) && !isSpace(rest.slice(length)) }
}

function digitsOf(text: string): string {
  let length = 0
  while (length < 10 && (text[length] as string) >= '0' && (text[length] as string) <= '9') length += 1
  return length < 10 ? text.slice(0, length) : ''
}

/** Where an HTML block ends (4.6): in the line that has it, or, when there is nothing to look for, before a blank one. */
export type HtmlEnd = RegExp | undefined

/** What the line opens as HTML, if it does. Only the last kind cannot end a paragraph. */
export function htmlOf(rest: string, inParagraph: boolean): { end: HtmlEnd } | undefined {
  if (rest[0] !== '<') return undefined
  const known = htmlStarts.find(({ start }) => start.test(rest))
  if (known) return { end: known.end }
  const end = inParagraph ? undefined : tagEnd(rest, 0)
  return end !== undefined && isSpace(rest.slice(end)) ? { end: undefined } : undefined
}

const blockTags =
  'address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt|' +
  'fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|menu|' +
  'menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|track|ul'

const htmlStarts: { start: RegExp; end: HtmlEnd }[] = [
  { start: /^<(?:script|pre|style|textarea)(?=[\s>]|$)/i, end: /<\/(?:script|pre|style|textarea)>/i },
  { start: /^<!--/, end: /-->/ },
  { start: /^<\?/, end: /\?>/ },
  { start: /^<![a-z]/i, end: />/ },
  { start: /^<!\[CDATA\[/, end: /\]\]>/ },
  { start: new RegExp(`^</?(?:${blockTags})(?=\\s|/?>|$)`, 'i'), end: undefined }
]

function runOf(text: string, sign: string): number {
  let length = 0
  while (text[length] === sign) length += 1
  return length
}

const isSpace = (text: string) => trimmed(text) === ''

/** Without spaces and tabs around: other white space is text (2.1). */
function trimmed(text: string): string {
  let from = 0
  let to = text.length
  while (text[from] === ' ' || text[from] === '\t') from += 1
  while (to > from && (text[to - 1] === ' ' || text[to - 1] === '\t')) to -= 1
  return text.slice(from, to)
}
