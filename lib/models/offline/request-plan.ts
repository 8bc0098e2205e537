import { commandsIn } from './commands.ts'
import type { Conversation } from './conversation.ts'
import { goalTitleOf, listedTitles, quotedTitles, taskCountIn, tidyTitle, withoutAfterthought } from './titles.ts'
import { evenSpaces, withoutMarks } from './words.ts'

type Read = { tool: string; record: string | null; query: string | null; status: string | null }
type Creation = {
  type: 'goal' | 'task'
  titles: string[]
  toWrite: number
  description: string | null
  status: null
  due: null
  goal: string | null
}
type Change = {
  type: 'goal' | 'task'
  record: string | null
  title: string | null
  description: null
  status: string | null
  due: string | null
  goal: string | null
}

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/i
const DAY = /\b\d{4}-\d\d-\d\d\b/
const GOAL = /\b(?:goals?|objetivos?|metas?)\b/i
const TASK = /\b(?:tasks?|exercises?|tareas?|ejercicios?)\b/i
/** Tasks that are made when nobody says how many. */
const UNSAID_COUNT = 5

/**
 * What a message asks to be looked up, created and changed, by the commands in it, in English or Spanish. Only the
 * last user message is looked at, without its code.
 */
export function planRequest(conversation: Conversation): { reads: Read[]; creations: Creation[]; changes: Change[] } {
  const asked = evenSpaces(conversation.asked)
  const commands = commandsIn(asked)
  const creations = creationsIn(asked, commands)
  const changes =
    creations.length === 0 && (commands.finish || commands.alter) ? [changeIn(asked, commands.finish)] : []
  const reads = creations.length + changes.length > 0 ? [] : readsIn(asked, conversation)
  return { reads, creations, changes }
}

function creationsIn(
  asked: string,
  { createGoal, createTasks }: { createGoal: boolean; createTasks: boolean }
): Creation[] {
  const common = { status: null, due: null }
  const goals: Creation[] = createGoal
    ? [{ ...common, type: 'goal', titles: [goalTitleOf(asked)], toWrite: 0, description: tidyTitle(asked), goal: null }]
    : []
  if (!createTasks) return goals
  const parent = createGoal ? undefined : goalNamedIn(asked)
  const listed = listedTitles(asked)
  const quoted = quotedTitles(asked).filter((title) => title !== parent && title !== goals[0]?.titles[0])
  const titles = listed.length > 0 ? listed : quoted
  const toWrite = titles.length > 0 ? 0 : (taskCountIn(asked) ?? UNSAID_COUNT)
  return [...goals, { ...common, type: 'task', titles, toWrite, description: null, goal: parent ?? null }]
}

/** The goal that tasks are for: `goal "…"`, `goal 0198…`, "to my goal Learn Rust". */
function goalNamedIn(asked: string): string | undefined {
  const noun = String.raw`\b(?:goal|objetivo|meta)`
  const quoted = new RegExp(`${noun}\\s+["“]([^"”\\n]{2,120})["”]`, 'i').exec(asked)?.[1]
  const id = new RegExp(`${noun}\\s+(${UUID.source})`, 'i').exec(asked)?.[1]
  const spoken = new RegExp(`\\b(?:my|the|mi|el|la)\\s+(?:goal|objetivo|meta)(\\s+[^:.,;!?\\n]{2,120})`, 'i').exec(
    asked
  )?.[1]
  const words = spoken === undefined ? '' : withoutAfterthought(spoken).trim()
  return (
    quoted ?? id ?? (words === '' || /^(?:down|into|to|with|for|en|con|de|para)\b/i.test(words) ? undefined : words)
  )
}

function changeIn(asked: string, finish: boolean): Change {
  const plain = withoutMarks(asked)
  const type = firstOf(plain)
  const none = { type, title: null, description: null, status: null, due: null, goal: null }
  if (finish) return { ...none, record: recordIn(asked, FINISHED), status: 'completed' }
  if (/\barchiv/i.test(plain)) return { ...none, record: recordIn(asked, ARCHIVED), status: 'archived' }
  const moved = between(asked, MOVED)
  if (moved) return { ...none, type: 'task', record: moved[0], goal: moved[1] }
  const due = DAY.exec(plain)?.[0]
  if (due !== undefined) return { ...none, record: recordIn(asked, []), due }
  const renamed = between(asked, RENAMED)
  return renamed ? { ...none, record: renamed[0], title: renamed[1] } : { ...none, record: recordIn(asked, []) }
}

const FINISHED = [
  /\b(?:mark|tick off|marca|marcar)\s+(.{1,200}?)\s+(?:as|como)\b/,
  /\b(?:finished|completed?|done with|tick off|terminado|termine|acabado|acabe|completado|completa|completar|termina)\s+([^.!?\n]{1,200})/
]
const ARCHIVED = [/\b(?:archive|archiva|archivar)\s+([^.!?\n]{1,200})/]
const MOVED = [/\b(?:move|mueve|mover)\s+(.{1,200}?)\s+(?:to|into|al?)\s+([^.!?\n]{1,200})/]
const RENAMED = [
  /\b(?:rename|renombra|renombrar)\s+(.{1,200}?)\s+(?:to|as|como|por|a)\s+([^.!?\n]{1,200})/,
  /\b(?:change|update|set|cambia|cambiar|actualiza|actualizar)\s+(?:the\s+|el\s+)?(?:name|title|nombre|titulo)\s+(?:of|del?)\s+(.{1,200}?)\s+(?:to|a|por)\s+([^.!?\n]{1,200})/
]

/** Which kind of record is spoken of first. */
function firstOf(plain: string): 'goal' | 'task' {
  const goal = GOAL.exec(plain)?.index ?? Number.POSITIVE_INFINITY
  const task = TASK.exec(plain)?.index ?? Number.POSITIVE_INFINITY
  return goal < task ? 'goal' : 'task'
}

/** The record's id or title in the message: quoted, else what a pattern captures; null where it is only pointed at. */
function recordIn(asked: string, patterns: readonly RegExp[]): string | null {
  const plain = withoutMarks(asked)
  const captured = patterns.map((pattern) => new RegExp(pattern.source, 'i').exec(plain)?.[1]).find(Boolean)
  return UUID.exec(asked)?.[0] ?? quotedTitles(asked)[0] ?? captured?.trim() ?? null
}

/** The two things that a pattern captures, without quotation marks; the first one null where nothing is named. */
function between(asked: string, patterns: readonly RegExp[]): [string | null, string] | undefined {
  for (const pattern of patterns) {
    const found = new RegExp(pattern.source, 'id').exec(withoutMarks(asked))
    const [first, second] = [1, 2].map((group) => {
      const [from, to] = found?.indices?.[group] ?? [0, 0]
      return asked.slice(from, to)
    })
    if (first && second)
      return [UUID.exec(first)?.[0] ?? quotedTitles(first)[0] ?? first, quotedTitles(second)[0] ?? tidyTitle(second)]
  }
  return undefined
}

function readsIn(asked: string, { lastUser }: Conversation): Read[] {
  const plain = withoutMarks(asked)
  const read = (tool: string, more: Partial<Read> = {}): Read[] => [
    { tool, record: null, query: null, status: null, ...more }
  ]
  if (/\bsimilar\b[^.?!]*\b(?:code|solution|codigo|solucion)|\bother solutions?\b|\botras soluciones\b/i.test(plain)) {
    const code = /```[^\n]*\n([\s\S]*?)(?:```|$)/.exec(lastUser)?.[1]?.trim()
    return read('get_similar_code', { query: (code || asked).slice(0, 1_000) })
  }
  if (
    /\bsimilar\b[^.?!]*\bgoals?\b|\bgoals?\b[^.?!]*\bsimilar\b|\b(?:objetivos?|metas?)\s+(?:similares|parecid[oa]s)\b/i.test(
      plain
    )
  ) {
    return read(
      'get_similar_goals',
      /\b(?:this|my|este|esta|mi)\s+(?:goal|objetivo|meta)\b/i.test(plain) ? {} : { query: asked.slice(0, 400) }
    )
  }
  const status = statusIn(plain)
  if (LISTS_GOALS.test(plain)) return read('list_goals', { status })
  return LISTS_TASKS.test(plain) ? read('list_tasks', { status }) : []
}

const LISTS_GOALS =
  /\b(?:my|which|what|list|show|open|all|mis|que|cuales|lista|muestra|muestrame|todos)\b[^.!?]{0,40}\b(?:goals?|objetivos?|metas)\b/i
const LISTS_TASKS =
  /\b(?:my|which|what|list|show|open|all|mis|que|cuales|lista|muestra|muestrame|todas)\b[^.!?]{0,40}\b(?:tasks?|tareas?)\b|\bwhat (?:is|comes|should I do) next\b|\bmy progress\b|\bque sigue\b|\bmi progreso\b/i

const STATUSES: [RegExp, string][] = [
  [/\b(?:pending|pendientes?)\b/i, 'pending'],
  [/\b(?:in progress|en curso|en progreso)\b/i, 'in_progress'],
  [/\b(?:completed|finished|done|completad[oa]s?|terminad[oa]s?)\b/i, 'completed'],
  [/\b(?:archived|archivad[oa]s?)\b/i, 'archived'],
  [/\b(?:active|activ[oa]s?)\b/i, 'active']
]

const statusIn = (plain: string): string | null => STATUSES.find(([pattern]) => pattern.test(plain))?.[1] ?? null
