/** Elements that say what a text is: no text may bring one along. */
const ours = ['passage', 'tool_result']

/**
 * Wraps text that others wrote so that a model can tell it from instructions. The text can neither end the element it
 * is in nor begin another one of ours: such tags lose their bracket.
 */
export function asData(tag: string, text: string, attributes: Record<string, string | number> = {}): string {
  const list = Object.entries(attributes)
    .map(([name, value]) => ` ${name}="${attribute(String(value))}"`)
    .join('')
  return `<${tag}${list}>\n${withoutTags([...ours, tag], text)}\n</${tag}>`
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

const withoutTags = (tags: string[], text: string) =>
  text.replace(new RegExp(`<(?=[\\s/\\u200b-\\u200f\\u2060\\ufeff]*(?:${tags.join('|')}))`, 'gi'), '&lt;')
