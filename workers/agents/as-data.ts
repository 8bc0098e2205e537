/**
 * Wraps text that others wrote so that a model can tell it from instructions. The text cannot end the element it is
 * in: its own tags of that name lose their bracket.
 */
export function asData(tag: string, text: string, attributes: Record<string, string | number> = {}): string {
  const list = Object.entries(attributes)
    .map(([name, value]) => ` ${name}="${attribute(String(value))}"`)
    .join('')
  return `<${tag}${list}>\n${withoutTag(tag, text)}\n</${tag}>`
}

function attribute(value: string): string {
  return value
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .slice(0, 200)
    .replace(/&/g, '&amp;')
    .replace(/"/g, '&quot;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
}

const withoutTag = (tag: string, text: string) =>
  text.replace(new RegExp(`<(?=[\\s/\\u200b-\\u200f\\u2060\\ufeff]*${tag})`, 'gi'), '&lt;')
