/**
 * A line without its end, read from left to right in columns: a tab reaches to the next multiple of four (CommonMark
 * 0.31.2, 2.2), and may be read in parts.
 */
export type Line = {
  text: string
  /** the character to be read next, and the column it stands in, or the part of a tab that is left of it */
  at: number
  column: number
  /** the first character from `at` that is neither a space nor a tab, and its column */
  start: number
  startColumn: number
}

export function openLine(text: string): Line {
  const line = { text, at: 0, column: 0, start: 0, startColumn: 0 }
  findStart(line)
  return line
}

/** How many columns of space the rest of the line begins with. */
export const indentOf = (line: Line): number => line.startColumn - line.column

/** Whether nothing but spaces and tabs is left. */
export const isBlank = (line: Line): boolean => line.start === line.text.length

/** What is left of the line, from its first character that is no space. */
export const restOf = (line: Line): string => line.text.slice(line.start)

/** Reads up to so many columns of space. */
export function skipSpace(line: Line, columns: number): void {
  const end = Math.min(line.column + columns, line.startColumn)
  while (line.column < end) {
    const next = line.text[line.at] === '\t' ? line.column + 4 - (line.column % 4) : line.column + 1
    if (next > end) {
      line.column = end
      return
    }
    line.column = next
    line.at += 1
  }
}

/** Reads the space before a mark of so many characters, and the mark. */
export function skipMark(line: Line, length: number): void {
  line.at = line.start + length
  line.column = line.startColumn + length
  findStart(line)
}

function findStart(line: Line): void {
  const { text } = line
  let { at, column } = line
  for (; text[at] === ' ' || text[at] === '\t'; at++) column = text[at] === ' ' ? column + 1 : column + 4 - (column % 4)
  line.start = at
  line.startColumn = column
}

/** Offsets at which the lines of a text begin and end; one ends with a newline, a carriage return, or both (2.1). */
export function* linesOf(text: string, start = 0): Generator<{ from: number; end: number; to: number }> {
  // Where the next of each is; looked for again only when it has been passed, so that time stays linear.
  let newline = text.indexOf('\n', start)
  let carriage = text.indexOf('\r', start)
  for (let from = start; from < text.length; ) {
    if (newline >= 0 && newline < from) newline = text.indexOf('\n', from)
    if (carriage >= 0 && carriage < from) carriage = text.indexOf('\r', from)
    const isFirst = carriage >= 0 && (newline < 0 || carriage < newline)
    const end = isFirst ? carriage : newline < 0 ? text.length : newline
    const to = isFirst && carriage + 1 === newline ? end + 2 : Math.min(end + 1, text.length)
    yield { from, end, to }
    from = to
  }
}
