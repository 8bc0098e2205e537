/** The parts of links (CommonMark 0.31.2, 6.3). They are read sign by sign: a pattern would keep each step of its way. */

/** What stands in the brackets that open at `from`: up to 999 characters, without further brackets. */
export function labelAt(text: string, from: number): string | undefined {
  const end = closeOf(text, from, ']', '[', 1_001)
  return end === undefined ? undefined : text.slice(from + 1, end - 1)
}

/** Labels are equal but for case and the amount of space. */
export const labelOf = (text: string): string => text.trim().replace(/\s+/g, ' ').toLowerCase().toUpperCase()

/** Where the target ends that begins at `from`: `<…>` in a line, or signs without space and with balanced brackets. */
export function destinationEnd(text: string, from: number): number | undefined {
  if (text[from] === '<') return closeOf(text, from, '>', '<\n')
  let depth = 0
  let at = from
  for (; at < text.length && isTarget(text.charCodeAt(at)); at++) {
    if (text[at] === '\\' && isTarget(text.charCodeAt(at + 1))) at += 1
    else if (text[at] === '(') depth += 1
    else if (text[at] === ')') {
      if (depth === 0) break
      depth -= 1
    }
  }
  return depth === 0 && at > from ? at : undefined
}

/** Where the title ends that begins at `from`: between quotation marks or brackets. */
export function titleEnd(text: string, from: number): number | undefined {
  const sign = text[from]
  if (sign === '"' || sign === "'") return closeOf(text, from, sign, '')
  return sign === '(' ? closeOf(text, from, ')', '(') : undefined
}

const isTarget = (code: number) => code > 0x20 && code !== 0x7f

/** Behind the sign that closes what opens at `from`, unless one that must not be comes first. */
function closeOf(text: string, from: number, close: string, never: string, most = text.length): number | undefined {
  const last = Math.min(text.length, from + most)
  for (let at = from + 1; at < last; at++) {
    const sign = text[at] as string
    if (sign === close) return at + 1
    if (sign === '\\') at += 1
    else if (never.includes(sign)) return undefined
  }
  return undefined
}
