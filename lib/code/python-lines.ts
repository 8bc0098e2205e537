import type { SyntaxProblem } from './syntax-checker.ts'

/** A logical line of Python: one statement or header, over as many rows as its brackets and strings take. */
export type LogicalLine = { start: number; end: number; firstRow: number; lastRow: number; indent: string }

const closers: Record<string, string> = { ')': '(', ']': '[', '}': '{' }
const stringStart = /([rbuft]{0,2})("""|'''|"|')/iy
const word = /[\p{L}\p{N}_]+/uy

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
  const endLine = (end: number) => {
    const text = source.slice(lineStart, end)
    if (/^\s*(?:#|$)/.test(text) === false) {
      lines.push({
        start: lineStart,
        end,
        firstRow: rowOf(lineStart + (/^\s*/.exec(text)?.[0].length ?? 0)).row,
        lastRow: rowOf(end).row,
        indent: /^[ \t\f]*/.exec(text)?.[0] ?? ''
      })
    }
    lineStart = end + 1
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
      at++
    } else if (closers[char]) {
      const opener = open.pop()
      if (!opener) return { lines, problem: problemAt(at, `unmatched '${char}'`) }
      if (opener.bracket !== closers[char]) {
        return { lines, problem: problemAt(at, `'${char}' does not match the opening '${opener.bracket}'`) }
      }
      at++
    } else {
      stringStart.lastIndex = at
      const match = stringStart.exec(source)
      if (match) {
        const end = endOfString(source, at + match[0].length, match[2] as string, match[1] as string)
        if (end === undefined) {
          const kind = match[2]?.length === 3 ? 'triple-quoted string' : 'string'
          return { lines, problem: problemAt(at, `unterminated ${kind} literal`) }
        }
        at = end
      } else {
        word.lastIndex = at
        at += word.exec(source)?.[0].length ?? 1
      }
    }
  }
  const last = open.at(-1)
  if (last) return { lines, problem: problemAt(last.at, `'${last.bracket}' was never closed`) }
  endLine(source.length)
  return { lines, problem: undefined }
}

/** Where a string ends, quotes included. Expressions in f-strings may hold strings with the same quotes (PEP 701). */
function endOfString(source: string, from: number, quote: string, prefix: string): number | undefined {
  const formatted = /[ft]/i.test(prefix)
  let depth = 0
  for (let at = from; at < source.length; at++) {
    const char = source[at]
    if (char === '\\') at++
    else if (char === '\n' && quote.length === 1) return undefined
    else if (depth === 0 && source.startsWith(quote, at)) return at + quote.length
    else if (formatted && char === '{') {
      if (depth === 0 && source[at + 1] === '{') at++
      else depth++
    } else if (formatted && char === '}' && depth > 0) depth--
    else if (depth > 0 && (char === '"' || char === "'")) {
      const inner = source.startsWith(char.repeat(3), at) ? char.repeat(3) : char
      const end = endOfString(source, at + inner.length, inner, '')
      // Before PEP 701 the same quote ended the string whatever its braces said.
      if (end === undefined) return inner === quote ? at + quote.length : undefined
      at = end - 1
    }
  }
  return undefined
}

function endOfRow(source: string, at: number): number {
  const end = source.indexOf('\n', at)
  return end < 0 ? source.length : end
}

/** Row and column, both from 0, of an offset. */
function rowFinder(source: string): (at: number) => { row: number; column: number } {
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
