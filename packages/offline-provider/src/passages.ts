import { isObject } from './check.ts'

/** A numbered piece of source text that an answer may quote. */
export type Passage = { n: number; title: string; content: string; type?: string }

const OPENING = /<passage\b([^<>]{0,1000})>/gi
const CLOSING = /<\/passage>/gi
const NUMBERED = /^\[(\d{1,3})\] +(.*)$/
const BLOCK_END = /^(?:<\/?[a-z_]+>|question:|user:|-{3,}|={3,})/i

/**
 * The passages in a message text: `<passage n="1" title="…">…</passage>` elements, else lines that begin with `[n] `
 * and what follows each until the next, a closing tag, a rule or a line beginning with `Question:`.
 */
export function passagesInText(text: string): Passage[] {
  const found = elements(text).map(({ attributes, content }, index) => ({
    n: Number(attribute(attributes, 'n') ?? index + 1),
    title: attribute(attributes, 'title') ?? '',
    content: content.trim(),
    type: attribute(attributes, 'type') ?? ''
  }))
  return found.length > 0 ? found : numberedLines(text)
}

type Element = { start: number; end: number; attributes: string; content: string }

/** The elements one after the other, in one pass; an opening that is never closed ends the search. */
function elements(text: string): Element[] {
  const found: Element[] = []
  let at = 0
  while (at < text.length) {
    OPENING.lastIndex = at
    const opening = OPENING.exec(text)
    if (!opening) break
    CLOSING.lastIndex = OPENING.lastIndex
    const closing = CLOSING.exec(text)
    if (!closing) break
    const content = text.slice(opening.index + opening[0].length, closing.index)
    found.push({ start: opening.index, end: closing.index + closing[0].length, attributes: opening[1] ?? '', content })
    at = closing.index + closing[0].length
  }
  return found
}

/** The message text without its passages: what was said by the one who speaks. */
export function withoutPassages(text: string): string {
  const found = elements(text)
  if (found.length > 0)
    return between(text, found)
      .replace(/<\/?passages>/gi, '')
      .trim()
  const kept: string[] = []
  let inside = false
  for (const line of text.split('\n')) {
    if (NUMBERED.test(line)) inside = true
    else if (inside && BLOCK_END.test(line)) inside = false
    if (!inside) kept.push(line.replace(/^question:\s*/i, ''))
  }
  return kept.join('\n').trim()
}

function between(text: string, found: readonly Element[]): string {
  const parts = found.map(({ start }, index) => text.slice(found[index - 1]?.end ?? 0, start))
  return [...parts, text.slice(found.at(-1)?.end ?? 0)].join('')
}

/**
 * The hits of a tool's answer, numbered by their own `n` or onwards from `nextN`. Takes JSON with an array `hits`
 * (at the top or one level down), or text with passages.
 */
export function passagesInToolResult(text: string, nextN: number): Passage[] {
  const hits = hitsOf(parseJson(text))
  if (!hits) return passagesInText(text)
  const passages: Passage[] = []
  for (const hit of hits) {
    if (!isObject(hit) || typeof hit['content'] !== 'string') continue
    const n = typeof hit['n'] === 'number' ? hit['n'] : nextN + passages.length
    passages.push({ n, title: typeof hit['title'] === 'string' ? hit['title'] : '', content: hit['content'] })
  }
  return passages
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // plain text is a fine tool result, too
  }
}

function hitsOf(value: unknown): unknown[] | undefined {
  if (!isObject(value)) return undefined
  if (Array.isArray(value['hits'])) return value['hits']
  const inner = Object.values(value).find((member) => isObject(member) && Array.isArray(member['hits']))
  return isObject(inner) && Array.isArray(inner['hits']) ? inner['hits'] : undefined
}

const ENTITIES: Record<string, string> = { '&quot;': '"', '&lt;': '<', '&gt;': '>', '&amp;': '&' }

function attribute(attributes: string, name: string): string | undefined {
  const value = new RegExp(`\\b${name}\\s*=\\s*"([^"]*)"`, 'i').exec(attributes)?.[1]
  return value?.replace(/&(quot|lt|gt|amp);/g, (entity) => ENTITIES[entity] ?? entity)
}

function numberedLines(text: string): Passage[] {
  const passages: { n: number; lines: string[] }[] = []
  let current: string[] | undefined
  for (const line of text.split('\n')) {
    const match = NUMBERED.exec(line)
    if (match) {
      current = [match[2] ?? '']
      passages.push({ n: Number(match[1]), lines: current })
    } else if (current && BLOCK_END.test(line)) current = undefined
    else current?.push(line)
  }
  return passages.map(({ n, lines }) => titled(n, lines))
}

/** The first line is a title when more follows and it is no sentence. */
function titled(n: number, lines: readonly string[]): Passage {
  const [first = '', ...rest] = lines
  const body = rest.join('\n').trim()
  if (body === '' || first.length > 160 || /[.!?:]$/.test(first))
    return { n, title: '', content: [first, ...rest].join('\n').trim() }
  return { n, title: first.trim(), content: body }
}
