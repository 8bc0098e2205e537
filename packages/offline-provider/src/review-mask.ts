import { lineFinder } from './line-finder.ts'

/** Where a string or comment was never closed, or a bracket has no partner. Lines count from 0. */
type SyntaxTrouble = { line: number; message: string }

export type Masked = {
  /** The lines with what stands in strings and comments blanked out, lengths kept. */
  lines: string[]
  /** The comments of each line. */
  comments: string[]
  trouble: SyntaxTrouble[]
}

type State = {
  text: string
  at: number
  /** Before this place everything is in `out`; from here to `at` stands code that will be copied as it is. */
  copied: number
  out: string[]
  lineAt: (at: number) => number
  comments: Map<number, string>
  trouble: SyntaxTrouble[]
  /** How many template strings are open around this place. */
  depth: number
}

/** Reads a source once, telling code from strings and comments as Python or as a language of the C family does it. */
export function maskSource(lines: readonly string[], language: string): Masked {
  const text = lines.join('\n')
  const lineAt = lineFinder(text)
  const state: State = { text, at: 0, copied: 0, out: [], lineAt, comments: new Map(), trouble: [], depth: 0 }
  const python = language === 'python'
  while (toNext(state, python ? /[#"']/g : /["'`/]/g)) {
    if (python) stepPython(state)
    else stepC(state)
  }
  state.out.push(state.text.slice(state.copied))
  const masked = state.out.join('').split('\n')
  if (state.trouble.length === 0) state.trouble.push(...unbalanced(masked))
  return { lines: masked, comments: lines.map((_, index) => state.comments.get(index) ?? ''), trouble: state.trouble }
}

/** Goes on to what the pattern finds, or to the end, and says whether anything was found. */
function toNext(state: State, pattern: RegExp): boolean {
  pattern.lastIndex = state.at
  state.at = pattern.exec(state.text)?.index ?? state.text.length
  return state.at < state.text.length
}

function stepPython(state: State): void {
  const { text, at } = state
  const char = text[at] as string
  if (char === '#') return comment(state, endOfLine(text, at))
  if (char !== '"' && char !== "'") return keep(state)
  const triple = text.startsWith(char.repeat(3), at)
  quoted(state, triple ? char.repeat(3) : char, triple)
}

function stepC(state: State): void {
  const { text, at } = state
  const char = text[at] as string
  if (text.startsWith('//', at)) return comment(state, endOfLine(text, at))
  if (text.startsWith('/*', at)) {
    const end = text.indexOf('*/', at + 2)
    if (end < 0) report(state, 'This comment is never closed.')
    return comment(state, end < 0 ? text.length : end + 2)
  }
  if (char === '"' || char === "'") return quoted(state, char, false)
  if (char === '`' && state.depth < DEEPEST) return template(state)
  if (char === '/' && regexMayStart(text, at)) {
    const match = /^\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/.exec(text.slice(at, at + 500))
    if (match) return blank(state, at + match[0].length)
  }
  keep(state)
}

function quoted(state: State, mark: string, multiline: boolean): void {
  const { text } = state
  let end = state.at + mark.length
  while (end < text.length && !text.startsWith(mark, end)) {
    if (text[end] === '\n' && !multiline) {
      report(state, 'This string is never closed.')
      return blank(state, end)
    }
    end += text[end] === '\\' ? 2 : 1
  }
  if (end >= text.length) report(state, 'This string is never closed.')
  blank(state, Math.min(text.length, end + mark.length))
}

/** Nobody nests template strings deeper; what does is taken for anything else. */
const DEEPEST = 50

/** A template's text is blanked, its `${…}` parts are code. */
function template(state: State): void {
  const { text } = state
  const line = state.lineAt(state.at)
  state.depth += 1
  blank(state, state.at + 1)
  for (;;) {
    blank(state, endOfTemplateText(text, state.at))
    if (!text.startsWith('${', state.at)) break
    state.at += 2
    let depth = 1
    while (depth > 0 && toNext(state, /["'`/{}]/g)) {
      if (text[state.at] === '{') depth += 1
      if (text[state.at] === '}') depth -= 1
      stepC(state)
    }
  }
  state.depth -= 1
  if (state.at >= text.length) state.trouble.push({ line, message: 'This template string is never closed.' })
  else blank(state, state.at + 1)
}

/** Where the text ends that begins here: at the template's end, at `${`, or at the end of all. */
function endOfTemplateText(text: string, from: number): number {
  let at = from
  while (at < text.length && text[at] !== '`' && !text.startsWith('${', at)) at += text[at] === '\\' ? 2 : 1
  return Math.min(text.length, at)
}

function keep(state: State): void {
  state.at += 1
}

function blank(state: State, end: number): void {
  state.out.push(state.text.slice(state.copied, state.at), state.text.slice(state.at, end).replace(/[^\n]+/g, spaces))
  state.at = end
  state.copied = end
}

const spaces = (text: string): string => ' '.repeat(text.length)

function comment(state: State, end: number): void {
  const first = state.lineAt(state.at)
  state.text
    .slice(state.at, end)
    .split('\n')
    .forEach((part, index) => {
      const line = first + index
      state.comments.set(line, `${state.comments.get(line) ?? ''}${part}`)
    })
  blank(state, end)
}

function report(state: State, message: string): void {
  state.trouble.push({ line: state.lineAt(state.at), message })
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf('\n', at)
  return end < 0 ? text.length : end
}

/** A slash begins a regular expression where a value may begin. */
function regexMayStart(text: string, at: number): boolean {
  const before = text.slice(Math.max(0, at - 40), at).trimEnd()
  return before === '' || /[([{,;=:!&|?+\-*%<>~^]$|\b(?:return|typeof|case|in|of|new|throw)$/.test(before)
}

const PAIRS: Record<string, string> = { ')': '(', ']': '[', '}': '{' }

function unbalanced(lines: readonly string[]): SyntaxTrouble[] {
  const open: { char: string; line: number }[] = []
  for (const [line, text] of lines.entries()) {
    for (const char of text) {
      if ('([{'.includes(char)) open.push({ char, line })
      const partner = PAIRS[char]
      if (partner === undefined) continue
      const last = open.pop()
      if (!last) return [{ line, message: `This “${char}” closes nothing.` }]
      if (last.char !== partner)
        return [{ line, message: `This “${char}” does not close the “${last.char}” of line ${last.line + 1}.` }]
    }
  }
  return open.slice(-1).map(({ char, line }) => ({ line, message: `This “${char}” is never closed.` }))
}
