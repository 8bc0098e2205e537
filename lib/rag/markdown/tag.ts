/**
 * Where the HTML tag ends that begins at `from` (CommonMark 0.31.2, 6.6): an opening one with its attributes, or a closing
 * one. It is read sign by sign: a pattern would keep each step of its way.
 */
export function tagEnd(text: string, from: number): number | undefined {
  const isClosing = text[from + 1] === '/'
  let at = from + (isClosing ? 2 : 1)
  if (text[from] !== '<' || !letter.test(text[at] ?? '')) return undefined
  at = skip(text, at, tagName)
  let next = skip(text, at, space)
  while (!isClosing && next > at && attributeStart.test(text[next] ?? '')) {
    at = skip(text, next, attributeName)
    next = skip(text, at, space)
    if (text[next] !== '=') continue
    const end = valueEnd(text, skip(text, next + 1, space))
    if (end === undefined) return undefined
    at = end
    next = skip(text, at, space)
  }
  if (!isClosing && text[next] === '/') next += 1
  return text[next] === '>' ? next + 1 : undefined
}

const letter = /[a-z]/i
const tagName = /[a-z0-9-]/i
const attributeStart = /[a-z_:]/i
const attributeName = /[\w.:-]/
const space = /\s/
const bareValue = /[^\s"'=<>`]/

function valueEnd(text: string, from: number): number | undefined {
  const sign = text[from]
  if (sign === '"' || sign === "'") return text.indexOf(sign, from + 1) + 1 || undefined
  const end = skip(text, from, bareValue)
  return end > from ? end : undefined
}

function skip(text: string, from: number, sign: RegExp): number {
  let at = from
  while (at < text.length && sign.test(text[at] as string)) at += 1
  return at
}
