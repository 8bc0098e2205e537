import { commandsIn, evenSpaces, quotedNames, withoutMarks } from '@goals/text'
import type { Conversation } from './conversation.ts'
import { goalTitleOf, listedTitles, quotedTitles, taskCountIn, tidyTitle, withoutAfterthought } from './titles.ts'

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
  /** an id stands in the place of the record's name */
  id: null
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
  const creations: Creation[] = []
  const changes: Change[] = []
  for (const order of ordersIn(asked)) {
    const commands = commandsIn(order)
    const made = creationsIn(order, commands)
    creations.push(...made)
    if (made.length === 0 && (commands.finish || commands.alter)) changes.push(changeIn(order, commands.finish))
  }
  const reads = creations.length + changes.length > 0 ? [] : readsIn(asked, conversation)
  return { reads, creations: withGoals(creations), changes }
}

/** "Add a task Read to my goal Rust and mark Leap as done" are two orders. */
function ordersIn(asked: string): string[] {
  const plain = withoutMarks(asked)
  const orders: string[] = []
  let from = 0
  for (const { index, 0: joint } of plain.matchAll(NEXT_ORDER)) {
    // What stands between quotation marks is a title, whatever it says.
    if (isQuoted(asked, index)) continue
    orders.push(asked.slice(from, index))
    from = index + joint.length
  }
  return [...orders, asked.slice(from)]
}

const NEXT_ORDER =
  /(?:[.;!]|,)? (?:(?:and|then|also|y|luego|tambien) ){0,2}(?=(?:mark|rename|archive|move|tick off|check off|marca|renombra|archiva|mueve) )|(?:[.;!]|,)? (?:(?:and|then|also|y|luego|tambien) ){1,2}(?=(?:(?:add|create|anade|agrega|crea) )?(?:a|an|another|una|otra) (?:new |nueva )?(?:task|tarea) )/gi

const isQuoted = (text: string, at: number): boolean =>
  [...text.matchAll(/["“„«][^"“”„«»\n]{1,300}["”“»]/g)].some(
    ({ index, 0: quoted }) => index < at && at < index + quoted.length
  )

/** "Add a task Read and a task Write to my goal Rust": both are for that goal. */
function withGoals(creations: Creation[]): Creation[] {
  if (creations.some(({ type }) => type === 'goal')) return creations
  const next = (at: number) => creations.slice(at).find(({ goal }) => goal !== null)?.goal
  return creations.map((creation, at) => ({ ...creation, goal: creation.goal ?? next(at) ?? null }))
}

function creationsIn(
  asked: string,
  { createGoal, createTasks }: { createGoal: boolean; createTasks: boolean }
): Creation[] {
  const common = { status: null, due: null }
  const goalTitle = createGoal ? goalTitleOf(asked) : ''
  const goals: Creation[] = createGoal
    ? [
        {
          ...common,
          type: 'goal',
          titles: goalTitle === '' ? [] : [goalTitle],
          toWrite: goalTitle === '' ? 1 : 0,
          description: goalTitle === '' ? null : tidyTitle(asked),
          goal: null
        }
      ]
    : []
  const continues = /^(?:a|an|another|una|otra) (?:new |nueva )?(?:task|tarea) /i.test(asked)
  if (!createTasks && !continues) return goals
  const parent = createGoal ? undefined : goalNamedIn(asked)
  const listed = listedTitles(asked)
  const quoted = quotedTitles(asked).filter((title) => title !== parent && title !== goals[0]?.titles[0])
  const titles = listed.length > 0 ? listed : quoted.length > 0 ? quoted : createGoal ? [] : spokenTitles(asked)
  const toWrite = titles.length > 0 ? 0 : (taskCountIn(asked) ?? UNSAID_COUNT)
  return [...goals, { ...common, type: 'task', titles, toWrite, description: null, goal: parent ?? null }]
}

/** Titles that are said without quotation marks: "Add a task Bake bread to my goal Cook", "the tasks Read, Write and Test". */
function spokenTitles(asked: string): string[] {
  const plain = withoutMarks(asked)
  for (const pattern of SPOKEN) {
    const found = new RegExp(pattern.source, 'id').exec(plain)
    const [from, to] = found?.indices?.[1] ?? []
    if (from === undefined || to === undefined) continue
    const said = asked
      .slice(from, to)
      .slice(0, toGoal(plain.slice(from, to)))
      .trim()
    if (said === '' || DESCRIBES.test(withoutMarks(said))) continue
    const several = /\b(?:tasks|tareas|pasos|steps)\b/i.test(plain.slice(found?.index, from))
    if (several && !/^\p{Lu}/u.test(said)) continue
    const titles = several ? said.split(/ ?, (?:and |y )?| (?:and|y) /) : [said]
    return titles
      .map((title) => tidyTitle(title.replace(/[!?]+$/, '')))
      .filter((title) => title !== '')
      .map((title) => title.charAt(0).toUpperCase() + title.slice(1))
  }
  return []
}

/** Where "… to my goal Cook" begins. */
const toGoal = (plain: string): number =>
  / (?:to|in|into|under|for|a|al|en|para|de) (?:my |the |mi |el |la |un |this |este )?(?:goals?|objetivo|meta)\b/i.exec(
    plain
  )?.index ?? plain.length

const SPOKEN = [
  /\b(?:tasks?|tareas?|steps?|pasos?)\b[^:\n]{0,160}: ?([^\n]{2,300})/,
  /\b(?:tasks?|tareas?|steps?|pasos?) (?:(?:called|named|titled|llamad[oa]s?|titulad[oa]s?|de|para|to) )?([^.\n]{2,300})/,
  /\b(?:add|anade|agrega) ([^.\n]{2,300})/
]
/** What begins like this says what to write, and is no title. */
const DESCRIBES =
  /^(?:for|about|from|of|on|out|based|that|which|with|so|in|to (?:my|the|this|it)|it|them|a|an|the|some|more|two|three|four|five|sobre|acerca|desde|que|con|en|a (?:mi|la)|al|este|esta|mi|del?|para|una?|unos|unas|el|la|los|las)\b/i

/** The goal that tasks are for: `goal "…"`, `goal 0198…`, "to my goal Learn Rust", `"Read" to Learn Rust`. */
function goalNamedIn(asked: string): string | undefined {
  const noun = String.raw`\b(?:goal|objetivo|meta)`
  const quoted = new RegExp(
    `${noun}\\s+(?:(?:called|named|llamad[oa])\\s+)?["“„«']([^"“”„«»\\n]{2,120}?)["”“»']`,
    'i'
  ).exec(asked)?.[1]
  const id = new RegExp(`${noun}\\s+(${UUID.source})`, 'i').exec(asked)?.[1]
  const spoken = new RegExp(`\\b(?:my|the|mi|el|la)\\s+(?:goal|objetivo|meta)(\\s+[^:.,;!?\\n]{2,120})`, 'i').exec(
    asked
  )?.[1]
  const words =
    spoken === undefined
      ? ''
      : withoutAfterthought(spoken.replace(/ (?:a|an|una|la|the) (?:new )?(?:task|tarea)\b.*$/i, '')).trim()
  const named = words === '' || /^(?:down|into|to|with|for|en|con|de|para|and|y)\b/i.test(words) ? undefined : words
  const behind = /["”“»'] (?:to|in|into|under|a|al|en) (?:my |the |mi |el |la )?([^"“”„«»'.,;:!?\n]{2,120})/i.exec(
    asked
  )?.[1]
  const aside = behind !== undefined && !GOAL.test(behind) && !TASK.test(behind) ? behind.trim() : undefined
  return quoted ?? id ?? named ?? aside
}

function changeIn(asked: string, finish: boolean): Change {
  const plain = withoutMarks(asked)
  const type = firstOf(plain)
  const none = { type, id: null, title: null, description: null, status: null, due: null, goal: null }
  const begun = BEGUN.find(([pattern]) => pattern.test(plain))
  if (begun) return { ...none, record: recordIn(asked, MARKED), status: begun[1] }
  if (finish) return { ...none, record: recordIn(asked, FINISHED), status: 'completed' }
  if (/\barchiv/i.test(plain)) return { ...none, record: recordIn(asked, ARCHIVED), status: 'archived' }
  const moved = between(asked, MOVED)
  if (moved) return { ...none, type: 'task', record: moved[0], goal: moved[1] }
  const due = DAY.exec(plain)?.[0]
  if (due !== undefined) return { ...none, record: recordIn(asked, DATED), due }
  const renamed = between(asked, RENAMED)
  return renamed ? { ...none, record: renamed[0], title: renamed[1] } : { ...none, record: recordIn(asked, []) }
}

const BEGUN: [RegExp, string][] = [
  [/\b(?:as|to|como|a) (?:in progress|started|en curso|en progreso|empezad[oa])\b/i, 'in_progress'],
  [/\b(?:as|to|como|a) (?:pending|open|to ?do|unfinished|pendiente)\b/i, 'pending']
]
const MARKED = [/\b(?:mark|set|marca|marcar|pon) (.{1,200}?) (?:as|to|como|a) /]
const FINISHED = [
  /\b(?:mark|set|marca|marcar)\s+(.{1,200}?)\s+(?:as|to|como)\s+(?:complet|finish|done|hech|terminad|acabad)/,
  /\b(?:tick off|check off)\s+([^.!?\n]{1,200})/,
  /\b(?:finished|completed?|done with|terminado|termine|acabado|acabe|completado|completa|completar|termina)\s+([^.!?\n]{1,200})/,
  /\b((?:the |my |la |mi |el )?(?:task|goal|exercise|tarea|objetivo|meta|ejercicio) [^.!?\n]{1,200}?) (?:is |are |esta )?(?:completed?|finished|done|completad[oa]|terminad[oa]|acabad[oa]|hech[oa])\b/
]
const DATED = [
  /\b(?:date|deadline|fecha|plazo) (?:of|for|del?|para) (.{1,200}?) (?:to|on|a|al|para|el) /,
  /\b(?:set|move|change|cambia|pon|mueve) (.{1,200}?) (?:to|due|a|al|para) /
]
const ARCHIVED = [/\b(?:archive|archiva|archivar)\s+([^.!?\n]{1,200})/]
const MOVED = [
  /\b(?:move|mueve|mover)\s+(.{1,200}?)\s+(?:to|into|al?)\s+((?:my |the |mi |el |la )?(?:goal|objetivo|meta)\b[^.!?\n]{1,200})/,
  /\b(?:move|mueve|mover)\s+(.{1,200}?)\s+(?:to|into|al?)\s+((?!\d{4}-)[^.!?\n]{1,200})/
]
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
  return UUID.exec(asked)?.[0] ?? quotedNames(asked)[0] ?? captured?.trim() ?? null
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
      return [UUID.exec(first)?.[0] ?? quotedNames(first)[0] ?? first, quotedNames(second)[0] ?? tidyTitle(second)]
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
