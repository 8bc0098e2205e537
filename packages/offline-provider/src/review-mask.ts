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
  line: number
  out: string[]
  comments: Map<number, string>
  trouble: SyntaxTrouble[]
  /** How many template strings are open around this place. */
  depth: number
}

/** Reads a source once, telling code from strings and comments as Python or as a language of the C family does it. */
export function maskSource(lines: readonly string[], language: string): Masked {
  const state: State = { text: lines.join('\n'), at: 0, line: 0, out: [], comments: new Map(), trouble: [], depth: 0 }
  const python = language === 'python'
  while (state.at < state.text.length) {
    if (python) stepPython(state)
    else stepC(state)
  }
  const masked = state.out.join('').split('\n')
  if (state.trouble.length === 0) state.trouble.push(...unbalanced(masked))
  return { lines: masked, comments: lines.map((_, index) => state.comments.get(index) ?? ''), trouble: state.trouble }
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
    if (end < 0) state.trouble.push({ line: state.line, message: 'This comment is never closed.' })
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
      state.trouble.push({ line: state.line, message: 'This string is never closed.' })
      return blank(state, end)
    }
    end += text[end] === '\\' ? 2 : 1
  }
  if (end >= text.length) state.trouble.push({ line: state.line, message: 'This string is never closed.' })
  blank(state, Math.min(text.length, end + mark.length))
}

/** Nobody nests template strings deeper; what does is taken for anything else. */
const DEEPEST = 50

/** A template's text is blanked, its `${…}` parts are code. */
function template(state: State): void {
  const { text } = state
  const line = state.line
  state.depth += 1
  blank(state, state.at + 1)
  while (state.at < text.length && text[state.at] !== '`') {
    if (text.startsWith('${', state.at)) {
      keep(state)
      keep(state)
      let depth = 1
      while (state.at < text.length && depth > 0) {
        if (text[state.at] === '{') depth += 1
        if (text[state.at] === '}') depth -= 1
        stepC(state)
      }
    } else blank(state, Math.min(text.length, state.at + (text[state.at] === '\\' ? 2 : 1)))
  }
  state.depth -= 1
  if (state.at >= text.length) state.trouble.push({ line, message: 'This template string is never closed.' })
  else blank(state, state.at + 1)
}

function keep(state: State): void {
  const char = state.text[state.at] as string
  state.out.push(char)
  if (char === '\n') state.line += 1
  state.at += 1
}

function blank(state: State, end: number): void {
  for (; state.at < end; state.at++) {
    const newline = state.text[state.at] === '\n'
    state.out.push(newline ? '\n' : ' ')
    if (newline) state.line += 1
  }
}

function comment(state: State, end: number): void {
  state.text
    .slice(state.at, end)
    .split('\n')
    .forEach((part, index) => {
      const line = state.line + index
      state.comments.set(line, `${state.comments.get(line) ?? ''}${part}`)
    })
  blank(state, end)
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
