import { withoutMarks } from '@goals/text'

/** Titles a text gives: its numbered or bulleted list, in order and without marks. */
export function listedTitles(text: string): string[] {
  const titles: string[] = []
  for (const line of text.split('\n')) {
    if (titles.length === 20) break
    const match = /^\s*(?:[-*+•]|\d{1,2}[.)])\s+(\S.*)/.exec(line.trimEnd())
    const title = match?.[1] ? tidyTitle(match[1]) : ''
    if (title && !titles.includes(title)) titles.push(title)
  }
  return titles
}

/** Titles between quotation marks: “…”, "…", „…“, «…» or '…'. */
export function quotedTitles(text: string): string[] {
  return [
    ...text.matchAll(/["“„«]([^"“”„«»\n]{1,120})["”“»]|(?<![\p{L}\p{N}])'([^'\n]{2,120})'(?![\p{L}\p{N}])/gu)
  ].map((match) => tidyTitle(match[1] ?? match[2] ?? ''))
}

/** One line without markdown marks, at most 120 characters, cut at a word. */
export function tidyTitle(text: string): string {
  const flat = text
    .slice(0, 2_000)
    .replace(/[*`]+|^\s*#{1,6}\s|(?<![\p{L}\p{N}])_+|_+(?![\p{L}\p{N}])/gu, '')
    .replace(/\s+/g, ' ')
    .replace(/ ?\[\d+\]/g, '')
    .trim()
    .replace(/(?<![.;:,])[.;:,]+$/, '')
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
  const named = afterFirst(
    /\b(?:goal|topic|title|objetivo|meta|tema|titulo)\s*(?:is|:|called|named|es|llamad[oa])\s*["“']?([^"”'\n]+)/,
    sentence
  )
  const after = afterFirst(
    /\b(?:learn(?:ing)?(?: about| to| how to)?|master|study|understand|get better at|practi[sc]e|about|for|to|aprender(?: sobre| a)?|dominar|estudiar|entender|practicar|acerca de|sobre|para)\s+(.+)$/,
    sentence
  )
  return bareTopic(named ?? after ?? sentence)
}

/** The title of a goal someone asks to create: "create a goal to learn Rust" → "Learn Rust". */
export function goalTitleOf(text: string): string {
  const quoted = quotedTitles(text)[0]
  if (quoted) return quoted
  if (SAVED_AS_GOAL.test(withoutMarks(text))) return titleOfTopic(text)
  const after = afterFirst(
    /\b(?:goals?|objetivos?|metas?)\b\s*(?:to|of|for|about|is|:|called|named|para|de|sobre|es|llamad[oa])?\s*(.+)$/,
    firstSentence(text)
  )
  const title = withoutAfterthought(tidyTitle(after ?? '')) || topicOf(text) || 'New goal'
  return title.charAt(0).toUpperCase() + title.slice(1)
}

const SAVED_AS_GOAL = /\b(?:as|como)\s+(?:(?:a|an|my|new|one|un|una|mi|nuevo|nueva)\s+){0,2}(?:goals?|objetivo|meta)\b/i

/** "Make a plan for learning Rust and save it as a goal" → "Learn Rust"; an empty string when nothing is named. */
export function titleOfTopic(text: string): string {
  const topic = topicOf(text)
  const plain = withoutMarks(text)
  const verb = /\blearn(?:ing)?\b/i.test(plain) ? 'Learn ' : /\baprender\b/i.test(plain) ? 'Aprender ' : ''
  return topic === '' ? '' : verb === '' ? topic.charAt(0).toUpperCase() + topic.slice(1) : verb + topic
}

/** How many tasks a text speaks of: "three tasks", "tres tareas", "a task". */
export function taskCountIn(text: string): number | undefined {
  const plain = withoutMarks(text)
  const word = COUNTED.exec(plain)?.[1]?.toLowerCase()
  if (word !== undefined) return NUMBERS.get(word) ?? Number(word)
  return /\b(?:a|an|another|una|otra)\s+(?:[a-z]+\s+)?(?:task|tarea)\b/i.test(plain) ? 1 : undefined
}

const NUMBERS = new Map(
  ['one two three four five six seven eight nine ten', 'una dos tres cuatro cinco seis siete ocho nueve diez'].flatMap(
    (list) => list.split(' ').map((word, at) => [word, at + 1] as const)
  )
)
const COUNTED = new RegExp(
  `\\b(${[...NUMBERS.keys()].join('|')}|[1-9]\\d?)\\s+(?:[a-z]+\\s+)?(?:tasks?|steps?|tareas?|pasos?)\\b`,
  'i'
)

/** What a pattern captures of the text, which it looks at without marks on letters. */
function afterFirst(pattern: RegExp, text: string): string | undefined {
  const found = new RegExp(pattern.source, 'id').exec(withoutMarks(text))
  const [from, to] = found?.indices?.[1] ?? []
  return from === undefined ? undefined : text.slice(from, to)
}

function firstSentence(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !/^\s*(?:[-*+•]|\d{1,2}[.)])\s/.test(line))
  const sentence =
    (lines[0] ?? text)
      .trim()
      .slice(0, 2_000)
      .split(/(?<=[.!?])\s/)[0] ?? ''
  return sentence.replace(/\s+/g, ' ')
}

function bareTopic(text: string): string {
  let topic = withoutAfterthought(tidyTitle(text)).replace(/[!?"”]+$/, '')
  for (let last = ''; last !== topic; ) {
    last = topic
    topic = topic.replace(
      /^(?:the|a|an|my|me|to|about|how to|learn(?:ing)?|master(?:ing)?|study(?:ing)?|understand(?:ing)?|el|la|los|las|un|una|mi|sobre|aprender|dominar|estudiar|entender)\s+/i,
      ''
    )
  }
  return SAYS_NOTHING.test(withoutMarks(topic)) ? '' : topic
}

const SAYS_NOTHING =
  /^(?:[\s.,¡¿]|please|break(?:ing)?|split|turn|make|create|add|save|write|plan|goals?|tasks?|steps?|it|this|that|my|me|the|a|an|some|for|of|with|into|down|up|small|smaller|new|and|to|one|two|three|four|five|six|seven|por favor|divide|desglosa|convierte|haz|hazme|crea|creame|anade|agrega|guarda|escribe|objetivos?|metas?|tareas?|pasos?|un|una|dos|tres|cuatro|cinco|seis|siete|el|la|mi|en|de|con|y)*$/i

/** "… and save it as tasks", "… with three tasks", "… from this page" says what to do, not what it is about. */
export function withoutAfterthought(text: string): string {
  const plain = withoutMarks(text)
  const ends = AFTERTHOUGHTS.map((pattern) => pattern.exec(plain)?.index ?? text.length)
  return text.slice(0, Math.min(...ends))
}

const AFTERTHOUGHTS = [
  /(?:,|(?<![\s,]))\s+(?:and|then)\s+(?:then\s+)?(?:save|store|create|add|make|break|split|turn|put|plan|write)\b/i,
  /(?:,|(?<![\s,]))\s+y\s+(?:luego\s+|despues\s+)?(?:guarda|guardalo|crea|anade|agrega|haz|divide|dividelo|desglosa|desglosalo|pon|escribe)\b/i,
  /(?:,|(?<![\s,]))\s+(?:with|con)\s+(?:[a-z0-9]+\s+){0,3}(?:tasks?|steps?|tareas?|pasos?)\b/i,
  /(?:,|(?<![\s,]))\s+(?:from|out of|based on)\s+(?:this|the|these)\s+(?:page|document|passage|material|text|lesson|course)s?\b/i,
  /(?:,|(?<![\s,]))\s+(?:de|a partir de|desde|segun)\s+(?:esta|este|estos|estas|el|la)\s+(?:paginas?|documentos?|materiales|material|textos?|leccion|curso)\b/i
]
