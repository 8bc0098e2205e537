import { isGreeting } from '@goals/text'
import { isObject } from './check.ts'
import { type Conversation, isSystem, type ToolUse } from './conversation.ts'
import { quoteAnswer, summarize } from './extract.ts'
import { type Passage, parseJson, withoutPassages } from './passages.ts'
import { planTasks } from './plan.ts'
import { cited, sentencesOf } from './sentences.ts'
import { type Review, reviewMessage } from './review.ts'
import { asksFor, asksForHelp, intentOf } from './route.ts'
import { tidyTitle } from './titles.ts'
import { isSpanish } from './words.ts'

/**
 * What is said when neither tools nor a schema decide: a summary, a review of code, a plan, what tools did, quotations,
 * or an honest nothing.
 */
export function plainAnswer(conversation: Conversation): string {
  if (asksForSummary(conversation)) return summaryOf(conversation)
  const { asked, used, passages } = conversation
  if (isGreeting(asked)) return greetingIn(isSpanish(asked) || /^\W*(?:hola|buen[ao]s|gracias|adi[oó]s)/i.test(asked))
  const code = wantsReview(conversation) ? codeToReview(conversation) : undefined
  if (code) return reviewInWords(reviewMessage(code.text), code.n)
  // What results in the message say was changed, the one who sends them tells; a question besides is answered.
  const told = used.some(({ call }) => call.id === '' && MAKES.test(call.name))
  const question = told ? questionIn(asked) : asked
  if (question === '') return ''
  const reports = reportsOf(
    used.filter(({ call }) => call.id !== '' || !MAKES.test(call.name)),
    isSpanish(asked)
  )
  if (asksFor('plan', asked) && !used.some(({ call }) => MAKES.test(call.name))) {
    return [...reports, planInWords(conversation)].join('\n\n')
  }
  const quoted = helpWithTask(conversation) ?? quoteAnswer(question, passages)
  if (quoted) return [...reports, quoted].join('\n\n')
  if (reports.length > 0) return reports.join('\n\n')
  return nothingToQuote(conversation)
}

/** The sentences of a message that ask something. */
function questionIn(asked: string): string {
  const sentences = asked.split(/(?<=[.!?])\s+|\n+/)
  return sentences.filter((sentence) => /\?\s*$/.test(sentence) || asksFor('tutor', sentence)).join(' ')
}

/** What the task at hand asks for, and which pages are near it. */
function helpWithTask({ asked, passages }: Conversation): string | undefined {
  const task = passages.find(({ type }) => type === 'task')
  if (!task || !asksForHelp(asked)) return undefined
  const sentences = sentencesOf(summarize(task.content, 2, 400))
  const wanted = (sentences.length > 0 ? sentences : [task.title]).map((sentence) => cited(sentence, task.n))
  const pages = titlesOf(passages.filter(({ type }) => type === 'document'))
  return `What is asked for: ${wanted.join(' ')}${pages && ` Pages that may help: ${pages}.`}`
}

/** The first three of them by name and number. */
function titlesOf(passages: readonly Passage[]): string {
  return passages
    .filter(({ title }) => title !== '')
    .slice(0, 3)
    .map(({ n, title }) => `“${tidyTitle(title)}” [${n}]`)
    .join(', ')
}

/** Code alone is there to be reviewed, unless tools were asked about it. */
function wantsReview({ asked, used, lastUser }: Conversation): boolean {
  if (asksFor('review', asked)) return true
  return used.length === 0 && FENCE.test(withoutPassages(lastUser)) && intentOf(asked, true) === 'review'
}

/** The user's own code, else the first passage that has code, with its number. */
function codeToReview({ lastUser, passages }: Conversation): { text: string; n?: number } | undefined {
  const own = withoutPassages(lastUser)
  if (FENCE.test(own)) return { text: own }
  const passage = passages.find(({ content }) => FENCE.test(content))
  return passage && { text: passage.content, n: passage.n }
}

const FENCE = /^```/m

const MAKES = /^(?:create|add|update|change|complete|set|mark|save)/i

/** A system message that asks for a summary, and nothing else to go by, makes the rest the thing to summarise. */
function asksForSummary({ system, call, passages }: Conversation): boolean {
  const asked = /\bsummari[sz]e\b|\b(?:write|make|give|update|produce)\b.{0,40}\bsummary\b/i.test(system)
  return asked && call.tools.length === 0 && passages.length === 0
}

function planInWords(conversation: Conversation): string {
  return planTasks(conversation)
    .map(
      ({ title, description, source }, index) =>
        `${index + 1}. ${title}: ${source === undefined ? description : cited(description, source)}`
    )
    .join('\n')
}

function reviewInWords({ summary, issues }: Review, n: number | undefined): string {
  const mark = (text: string) => (n === undefined ? text : cited(text, n))
  const lines = issues.map(
    ({ line, severity, message, suggestion }) =>
      `- ${mark(`Line ${line} (${severity}): ${message}`)}${suggestion ? ` ${suggestion}` : ''}`
  )
  return [mark(summary), ...lines].join('\n')
}

function summaryOf({ call }: Conversation): string {
  const names = { user: 'The user', assistant: 'The assistant', tool: 'A tool', system: '', developer: '' } as const
  const spoken = call.messages.filter((message) => !isSystem(message) && message.text.trim() !== '')
  if (spoken.length <= 1) {
    const text = spoken[0]?.text ?? ''
    return summarize(text, 5, 900) || tidyTitle(text) || 'There is nothing to summarise.'
  }
  const share = Math.max(120, Math.floor(1_200 / spoken.length))
  const lines = spoken
    .slice(-12)
    .map(({ role, text }) => `${names[role]}: ${summarize(text, 1, share) || tidyTitle(text)}`)
  return lines.join('\n')
}

/**
 * What tools did whose results hold no passages, one line for each tool and failure; titles and states are taken from
 * the results as they stand.
 */
function reportsOf(used: readonly ToolUse[], spanish: boolean): string[] {
  const rows = new Map<string, string[]>()
  const failures: string[] = []
  for (const { call, result } of used) {
    const value = parseJson(result)
    const failed = isObject(value) ? (value['error'] ?? value['errors']) : undefined
    if (failed) {
      const how = spanish ? 'no se pudo hacer' : 'did not work'
      failures.push(`${call.name} ${how}: ${tidyTitle(messageOf(failed))}.`)
    }
    const found = failed ? undefined : rowsOf(value)
    if (found)
      rows.set(call.name, [...(rows.get(call.name) ?? []), ...found.map(describeRow).filter((row) => row !== '')])
    else if (!failed && MAKES.test(call.name)) rows.set(call.name, rows.get(call.name) ?? [])
  }
  return [...Array.from(rows, ([name, described]) => reportOf(name, described, spanish)), ...failures]
}

function reportOf(name: string, rows: readonly string[], spanish: boolean): string {
  if (MAKES.test(name)) {
    const done = spanish ? `Hecho con ${name}` : `Done with ${name}`
    return rows.length > 0 ? `${done}: ${rows.slice(0, 20).join(', ')}.` : `${done}.`
  }
  if (rows.length === 0) return spanish ? `${name} no encontró nada.` : `${name} found nothing.`
  const list = rows.slice(0, 10).map((row) => `- ${row}`)
  return [spanish ? `${name} da esta lista:` : `${name} lists:`, ...list].join('\n')
}

function rowsOf(value: unknown): unknown[] | undefined {
  if (Array.isArray(value)) return value
  if (!isObject(value) || Array.isArray(value['hits'])) return undefined
  const list = Object.values(value).find((member) => Array.isArray(member))
  if (Array.isArray(list)) return list
  if (typeof value['title'] === 'string') return [value]
  const inner = Object.values(value).find((member) => isObject(member) && typeof member['title'] === 'string')
  return inner === undefined ? undefined : [inner]
}

function describeRow(row: unknown): string {
  if (!isObject(row)) return typeof row === 'string' ? tidyTitle(row) : ''
  const title = row['title'] ?? row['name']
  if (typeof title !== 'string') return ''
  const status = typeof row['status'] === 'string' ? ` (${row['status']})` : ''
  return `“${tidyTitle(title)}”${status}${typeof row['n'] === 'number' ? ` [${row['n']}]` : ''}`
}

function messageOf(error: unknown): string {
  if (typeof error === 'string') return error
  if (isObject(error) && typeof error['message'] === 'string') return error['message']
  return JSON.stringify(error)
}

function nothingToQuote({ asked, passages }: Conversation): string {
  const spanish = isSpanish(asked)
  const restated = tidyTitle(asked) || 'nothing in words'
  if (passages.length > 0) {
    return spanish
      ? `No encontré nada en el material que responda a “${restated}”.`
      : `I found nothing in the material: the passages at hand have no sentence that answers this. You asked: “${restated}”.`
  }
  return spanish
    ? `No encontré nada en tu material sobre “${restated}”. Contesta el modelo sin conexión (offline model), que solo cita lo que hay en cursos, páginas y tareas. \`npm run demo\` carga dos cursos pequeños cuando todavía no hay ninguno.`
    : `I found nothing in your material on “${restated}”. This is the offline model, which only quotes what courses, pages and tasks say. \`npm run demo\` loads two small courses when there are none yet.`
}

/** What it can do, for somebody who has just come. */
const greetingIn = (spanish: boolean): string =>
  spanish
    ? '¡Hola! Contesta el modelo sin conexión (offline model), que suple a uno de verdad. Puedo responder preguntas con citas de tus cursos y páginas, hacer un plan y guardarlo como objetivo con tareas si lo permites, marcar tareas como hechas, y revisar código.'
    : 'Hello! This is the offline model, which stands in for a real one. I can answer questions with citations from your courses and pages, make a plan and save it as a goal with tasks when you allow it, mark tasks as done, and review code.'
