import { destinationEnd, labelAt, labelOf, titleEnd } from './link.ts'

/**
 * The link definitions that a paragraph begins with (CommonMark 0.31.2, 4.7).
 * @param paragraph its lines, joined by newlines, without the space before them
 * @returns their labels, and how many characters of the paragraph they are: whole lines
 */
export function definitionsOf(paragraph: string): { labels: string[]; length: number } {
  const labels: string[] = []
  let length = 0
  while (paragraph[length] === '[') {
    const found = definitionAt(paragraph, length)
    if (!found) break
    labels.push(found.label)
    length = found.end
  }
  return { labels, length }
}

function definitionAt(text: string, from: number): { label: string; end: number } | undefined {
  const label = labelAt(text, from)
  if (!label?.trim()) return undefined
  const colon = from + label.length + 2
  if (text[colon] !== ':') return undefined
  const end = destinationEnd(text, matchEnd(space, text, colon + 1))
  if (end === undefined) return undefined
  const next = matchEnd(space, text, end)
  const closed = next > end ? titleEnd(text, next) : undefined
  const last = (closed === undefined ? undefined : lineEnd(text, closed)) ?? lineEnd(text, end)
  return last === undefined ? undefined : { label: labelOf(label), end: last }
}

/** Space with one end of a line at most. */
const space = /[ \t]*\n?[ \t]*/y

function lineEnd(text: string, from: number): number | undefined {
  let at = from
  while (text[at] === ' ' || text[at] === '\t') at += 1
  return at === text.length ? at : text[at] === '\n' ? at + 1 : undefined
}

function matchEnd(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return at + (pattern.exec(text)?.[0].length ?? 0)
}
