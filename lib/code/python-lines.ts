import type { SyntaxProblem } from './syntax-checker.ts'

/** `text` of a string is empty: nothing in it matters to what may stand beside it. */
export type Token = { kind: 'name' | 'number' | 'string' | 'operator' | 'unknown'; text: string; at: number }

/** A logical line of Python: one statement or header, over as many rows as its brackets and strings take. */
export type LogicalLine = {
  start: number
  end: number
  firstRow: number
  lastRow: number
  indent: string
  tokens: Token[]
}

const closers: Record<string, string> = { ')': '(', ']': '[', '}': '{' }
const stringStart = /([rbuft]{0,2})("""|'''|"|')/iy
/** Literals and names of the reference manual, 2.4 and 2.6; no alternative can begin in the middle of another. */
const number =
  /0(?:x(?:_?[\da-f])+|o(?:_?[0-7])+|b(?:_?[01])+)|(?:\d(?:_?\d)*(?:\.(?:\d(?:_?\d)*)?)?|\.\d(?:_?\d)*)(?:e[+-]?\d(?:_?\d)*)?j?/iy
const word = /[\p{XIDS}_][\p{XIDC}]*/uy
const operator =
  /\*\*=|\/\/=|>>=|<<=|\.\.\.|\*\*|\/\/|>>|<<|<=|>=|==|!=|->|:=|\+=|-=|\*=|\/=|%=|&=|\|=|\^=|@=|[-+*/%@&|^~<>=.,:;()[\]{}]/y

/**
 * Splits a source into logical lines as Python's tokenizer does (reference manual, 2.1), and tells where strings or
 * brackets go wrong. Meant for sources that are known to be wrong: it says where, not whether.
 */
export function logicalLines(source: string): { lines: LogicalLine[]; problem: SyntaxProblem | undefined } {
  const rowOf = rowFinder(source)
  const lines: LogicalLine[] = []
  const open: { bracket: string; at: number }[] = []
  const problemAt = (at: number, message: string) => {
    const { row, column } = rowOf(at)
    return { line: row + 1, column: column + 1, message }
  }
  let lineStart = 0
  let at = 0
  let tokens: Token[] = []
  const take = (kind: Token['kind'], text: string) => {
    tokens.push({ kind, text, at })
    at += text.length
  }
  const endLine = (end: number) => {
    const text = source.slice(lineStart, end)
    if (/^\s*(?:#|$)/.test(text) === false) {
      lines.push({
        start: lineStart,
        end,
        firstRow: rowOf(lineStart + (/^\s*/.exec(text)?.[0].length ?? 0)).row,
        lastRow: rowOf(end).row,
        indent: /^[ \t\f]*/.exec(text)?.[0] ?? '',
        tokens
      })
    }
    tokens = []
    lineStart = end + 1
  }
  const takeWord = () => {
    const name = matchAt(word, source, at)?.[0]
    if (name) return take('name', name)
    const digits = matchAt(number, source, at)?.[0]
    if (digits) return take('number', digits)
    const sign = matchAt(operator, source, at)?.[0]
    take(sign ? 'operator' : 'unknown', sign ?? String.fromCodePoint(source.codePointAt(at) as number))
  }
  while (at < source.length) {
    const char = source[at] as string
    if (char === '#') at = endOfRow(source, at)
    else if (char === '\\' && (source[at + 1] === '\n' || source.startsWith('\r\n', at + 1))) at += 2
    else if (char === '\n') {
      if (open.length === 0) endLine(at)
      at++
    } else if ('([{'.includes(char)) {
      open.push({ bracket: char, at })
      take('operator', char)
    } else if (closers[char]) {
      const opener = open.pop()
      if (!opener) return { lines, problem: problemAt(at, `unmatched '${char}'`) }
      if (opener.bracket !== closers[char]) {
        return { lines, problem: problemAt(at, `'${char}' does not match the opening '${opener.bracket}'`) }
      }
      take('operator', char)
    } else {
      const match = matchAt(stringStart, source, at)
      if (match) {
        const end = endOfString(source, at + match[0].length, match[2] as string, match[1] as string)
        if (end === undefined) {
          const kind = match[2]?.length === 3 ? 'triple-quoted string' : 'string'
          return { lines, problem: problemAt(at, `unterminated ${kind} literal`) }
        }
        tokens.push({ kind: 'string', text: '', at })
        at = end
      } else if (/\s|\uFEFF/.test(char)) at++
      else takeWord()
    }
  }
  const last = open.at(-1)
  if (last) return { lines, problem: problemAt(last.at, `'${last.bracket}' was never closed`) }
  endLine(source.length)
  return { lines, problem: undefined }
}

function matchAt(pattern: RegExp, source: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at
  return pattern.exec(source)
}

/** The longest name of a Unicode character has 88 letters. */
const longestName = 100

/** `field`: the expression of an f-string's braces; `spec`: what says how it is formatted, which is text again. */
type Frame =
  | { kind: 'text'; quote: string; formatted: boolean }
  | { kind: 'field'; brackets: number }
  | { kind: 'spec'; quote: string; formatted: true }

/**
 * Where a string ends, quotes included. Expressions in f-strings may hold strings with the same quotes, line ends and
 * comments (PEP 701). Without recursion: a source chooses how deep its strings are.
 */
function endOfString(source: string, from: number, quote: string, prefix: string): number | undefined {
  const frames: Frame[] = [textFrame(quote, prefix)]
  let at = from
  while (at < source.length) {
    const frame = frames.at(-1) as Frame
    const char = source[at] as string
    if (frame.kind === 'field') {
      at = inField(source, at, char, frames, frame)
    } else if (char === '\\') {
      const named = frame.formatted && source.startsWith('N{', at + 1)
      at += named ? 3 : frame.formatted && '{}'.includes(source[at + 1] ?? ' ') ? 1 : 2
      if (named) at += source.slice(at, at + longestName).indexOf('}') + 1
    } else if (char === '\n' && frame.quote.length === 1) {
      return undefined
    } else if (source.startsWith(frame.quote, at)) {
      at += frame.quote.length
      while (frames.pop()?.kind !== 'text');
      if (frames.length === 0) return at
    } else if (char === '{' && frame.formatted) {
      const escaped = frame.kind === 'text' && source[at + 1] === '{'
      if (!escaped) frames.push({ kind: 'field', brackets: 0 })
      at += escaped ? 2 : 1
    } else {
      if (char === '}' && frame.kind === 'spec') frames.splice(-2)
      at++
    }
  }
  return undefined
}

const textFrame = (quote: string, prefix: string): Frame => ({ kind: 'text', quote, formatted: /[ft]/i.test(prefix) })

/** Goes on by one token of a field's expression, and returns where the next begins. */
function inField(source: string, at: number, char: string, frames: Frame[], field: { brackets: number }): number {
  if (char === '#') return endOfRow(source, at)
  const string = matchAt(stringStart, source, at)
  if (string) {
    frames.push(textFrame(string[2] as string, string[1] as string))
    return at + string[0].length
  }
  if ('([{'.includes(char)) field.brackets++
  else if (')]'.includes(char) || (char === '}' && field.brackets > 0)) field.brackets--
  else if (char === '}') frames.pop()
  else if (char === ':' && field.brackets === 0) {
    const around = frames.at(-2) as Extract<Frame, { kind: 'text' | 'spec' }>
    frames.push({ kind: 'spec', quote: around.quote, formatted: true })
  }
  return at + (matchAt(word, source, at)?.[0].length ?? 1)
}

function endOfRow(source: string, at: number): number {
  const end = source.indexOf('\n', at)
  return end < 0 ? source.length : end
}

/** Row and column, both from 0, of an offset. */
export function rowFinder(source: string): (at: number) => { row: number; column: number } {
  const starts = [0]
  for (let at = source.indexOf('\n'); at >= 0; at = source.indexOf('\n', at + 1)) starts.push(at + 1)
  return (at) => {
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((starts[middle] as number) <= at) low = middle
      else high = middle - 1
    }
    return { row: low, column: at - (starts[low] as number) }
  }
}
