/**
 * Prose sentences of a markdown text, in order: code, headings, tables, links' targets, footnotes' marks and images left
 * out. So are single lines without an end mark beside sentences that have one: headings that lost their signs.
 */
export function sentencesOf(text: string): string[] {
  const prose = text
    .replace(/```[\s\S]*?(?:```|$)/g, '\n\n')
    .replace(/^[ \t]*~{3,}.*$/gm, '')
    .replace(/\[\^[^\]\s]{1,30}\](?!:)/g, '')
    .replace(/!\[[^\]\n]{0,300}\]\([^)\n]{0,500}\)/g, '')
    .replace(/\[([^\]\n]{1,300})\](?:\([^)\n]{0,500}\)|\[[^\]\n]{0,300}\])/g, '$1')
    .replace(/https?:\/\/\S+/g, '')
    .replace(/<[^>\n]{1,200}>/g, '')
    .replace(/^[ \t]*>[ \t]?/gm, '')
  const blocks = prose
    .split(/\n[ \t]*\n|\n(?=[ \t]*(?:[-*+]|\d+[.)])\s)|(?<=^[ \t]{0,3}#.{0,300})\n/m)
    .map((block) => block.trim())
  const hasSentences = blocks.some((block) => END_MARK.test(block))
  return blocks.filter((block) => !hasSentences || !isLabel(block)).flatMap(sentencesOfBlock)
}

const END_MARK = /[.!?:…]["'`)\]*_]{0,4}$/
const LIST_ITEM = /^(?:[-*+]|\d+[.)])\s/
const isLabel = (block: string) => !block.includes('\n') && !END_MARK.test(block) && !LIST_ITEM.test(block)

function sentencesOfBlock(block: string): string[] {
  const flat = block.replace(/\s+/g, ' ').trim()
  if (flat === '' || flat.startsWith('#') || flat.startsWith('|') || /^\[[^\]]+\]:/.test(flat)) return []
  const item = flat.replace(/^(?:[-*+]|\d+[.)])\s+/, '')
  return item
    .split(/(?<=(?<!\.)[.!?])["')\]]*\s+(?=[\p{Lu}\p{N}"'`(*_[])/u)
    .map((sentence) => sentence.trim())
    .filter((sentence) => /\p{L}{2}/u.test(sentence) && sentence.split(' ').length >= 3)
    .map((sentence) => (sentence.length > 600 ? `${sentence.slice(0, 599)}…` : sentence))
}

/** Sentences that speak to a model instead of to a reader; they are never quoted. */
export function speaksToModel(sentence: string): boolean {
  return /\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instruction|prompt|rule|previous|above)|\bsystem prompt\b|\byou (?:are|must) now\b|\b(?:assistant|model)s?,? (?:must|should)\b|\bcall the tool\b/i.test(
    sentence
  )
}

/** The sentence with its source's number before the closing mark: `Bees dance [2].` */
export function cited(sentence: string, n: number): string {
  const plain = sentence.replace(/(?<!\s)\s*\[\d+\]/g, '')
  let length = plain.length
  while (length > 0 && '.!?:;,…'.includes(plain.charAt(length - 1))) length -= 1
  const end = plain.slice(length).replace(/[:;,]+/g, '') || '.'
  return `${plain.slice(0, length).trimEnd()} [${n}]${end}`
}
