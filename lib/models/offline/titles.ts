/** Titles a text gives: its numbered or bulleted list, in order and without marks. */
export function listedTitles(text: string): string[] {
  const titles: string[] = []
  for (const line of text.split('\n')) {
    const match = /^\s*(?:[-*+•]|\d{1,2}[.)])\s+(.*\S)/.exec(line)
    const title = match?.[1] ? tidyTitle(match[1]) : ''
    if (title && !titles.includes(title)) titles.push(title)
  }
  return titles.slice(0, 20)
}

/** Titles between quotation marks: “…”, "…" or '…'. */
export function quotedTitles(text: string): string[] {
  return [...text.matchAll(/["“]([^"”\n]{2,120})["”]|(?<![\p{L}\p{N}])'([^'\n]{2,120})'(?![\p{L}\p{N}])/gu)].map(
    (match) => tidyTitle(match[1] ?? match[2] ?? '')
  )
}

/** One line without markdown marks, at most 120 characters, cut at a word. */
export function tidyTitle(text: string): string {
  const flat = text
    .replace(/[*_`#]+/g, '')
    .replace(/\s*\[\d+\]/g, '')
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/[.;:,]+$/, '')
  if (flat.length <= 120) return flat
  const cut = flat.slice(0, 120)
  return cut.slice(0, Math.max(40, cut.lastIndexOf(' ')))
}

/**
 * What a goal is about: the words after "goal:", "learn", "about" and the like, without the end of the sentence.
 * "Please make me a plan to learn recursion in Python." → "recursion in Python".
 */
export function topicOf(text: string): string {
  const line =
    text.split('\n').find((candidate) => candidate.trim() !== '' && !/^\s*(?:[-*+•]|\d{1,2}[.)])\s/.test(candidate)) ??
    text
  const sentence = line.trim().split(/(?<=[.!?])\s/)[0] ?? ''
  const named = /\b(?:goal|topic|title)\s*(?:is|:|called|named)\s*["“']?([^"”'\n]+)/i.exec(sentence)?.[1]
  const after =
    /\b(?:learn(?:ing)?(?: about| to| how to)?|master|study|understand|get better at|practi[sc]e|about|for|to)\s+(.+)$/i.exec(
      sentence
    )?.[1]
  const topic = tidyTitle(named ?? after ?? sentence)
    .replace(/[!?]+$/, '')
    .replace(/^(?:the|a|an|my)\s+/i, '')
  return topic || 'the goal'
}
