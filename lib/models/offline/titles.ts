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
    .slice(0, 2_000)
    .replace(/[*_`#]+/g, '')
    .replace(/\s+/g, ' ')
    .replace(/ ?\[\d+\]/g, '')
    .trim()
    .replace(/[.;:,]+$/, '')
  if (flat.length <= 120) return flat
  const cut = flat.slice(0, 120)
  return cut.slice(0, Math.max(40, cut.lastIndexOf(' ')))
}

/**
 * What a goal is about, without the words around it:
 * "Please make me a plan for learning recursion in Python and save it." → "recursion in Python".
 * @returns an empty string when only planning is spoken of: "Break my goal down into tasks."
 */
export function topicOf(text: string): string {
  const sentence = firstSentence(text)
  const named = /\b(?:goal|topic|title)\s*(?:is|:|called|named)\s*["“']?([^"”'\n]+)/i.exec(sentence)?.[1]
  const after =
    /\b(?:learn(?:ing)?(?: about| to| how to)?|master|study|understand|get better at|practi[sc]e|about|for|to)\s+(.+)$/i.exec(
      sentence
    )?.[1]
  return bareTopic(named ?? after ?? sentence)
}

/** The title of a goal someone asks to create: "create a goal to learn Rust" → "Learn Rust". */
export function goalTitleOf(text: string): string {
  const quoted = quotedTitles(text)[0]
  if (quoted) return quoted
  const after = /\bgoals?\b\s*(?:to|of|for|about|is|:|called|named)?\s*(.+)$/i.exec(firstSentence(text))?.[1]
  const title = withoutAfterthought(tidyTitle(after ?? '')) || topicOf(text) || 'New goal'
  return title.charAt(0).toUpperCase() + title.slice(1)
}

function firstSentence(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !/^\s*(?:[-*+•]|\d{1,2}[.)])\s/.test(line))
  return (lines[0] ?? text).trim().split(/(?<=[.!?])\s/)[0] ?? ''
}

function bareTopic(text: string): string {
  let topic = withoutAfterthought(tidyTitle(text)).replace(/[!?]+$/, '')
  for (let last = ''; last !== topic; ) {
    last = topic
    topic = topic.replace(
      /^(?:the|a|an|my|me|to|about|how to|learn(?:ing)?|master(?:ing)?|study(?:ing)?|understand(?:ing)?)\s+/i,
      ''
    )
  }
  return /^(?:[\s.,]|please|break(?:ing)?|split|turn|make|create|add|save|write|plan|goals?|tasks?|steps?|it|this|that|my|me|the|a|an|some|for|of|with|into|down|up|small|smaller|new|and|to)*$/i.test(
    topic
  )
    ? ''
    : topic
}

/** "… and save it as tasks", "… and break it down" says what to do, not what it is about. */
function withoutAfterthought(text: string): string {
  return text.replace(
    /,?\s+(?:and|then)\s+(?:then\s+)?(?:save|store|create|add|make|break|split|turn|put|plan|write)\b.*$/i,
    ''
  )
}
