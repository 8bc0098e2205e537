import type { ChangeableType } from '../../lib/schemas/chat.ts'
import type { languageOf } from './language.ts'
import type { Unclear } from './references.ts'

/** What became of something that a message asked for. Titles and names are texts of others: they are shown, and no more. */
export type Outcome =
  | { kind: 'created'; type: ChangeableType; titles: string[]; goal: string | null; leftOut: string[] }
  | { kind: 'changed'; type: ChangeableType; title: string; to: ChangedTo }
  | { kind: 'unclear'; unclear: Unclear }
  | { kind: 'refused'; type: ChangeableType; names: string[]; why: Refusal | { problem: string } }

export type ChangedTo = {
  title?: string | undefined
  status?: string | undefined
  due?: string | undefined
  goal?: string | undefined
  description?: boolean
}

/** Why something that was asked for is not done, where no record is in doubt. */
export type Refusal = 'not-this-agent' | 'foreign' | 'too-many' | 'no-text' | 'no-change' | 'no-goal'

type Language = ReturnType<typeof languageOf>

const nouns = {
  en: { goal: 'goal', task: 'task', goals: 'goals', tasks: 'tasks' },
  es: { goal: 'el objetivo', task: 'la tarea', goals: 'objetivos', tasks: 'tareas' }
} as const

const refusals: Record<Language, Record<Refusal, (type: ChangeableType) => string>> = {
  en: {
    'not-this-agent': (type) => `this agent creates and changes no ${type}s; the planner does`,
    foreign: (type) => `the ${type} is somebody else's`,
    'too-many': () => 'an answer creates and changes at most 50 records',
    'no-text': (type) => `no title for a ${type} was given, and none could be made`,
    'no-change': (type) => `it is not said what the ${type} is to be changed to`,
    'no-goal': () => 'the goal that they were to belong to could not be created'
  },
  es: {
    'not-this-agent': (type) =>
      `este agente no crea ni cambia ${type === 'goal' ? 'objetivos' : 'tareas'}; lo hace el planificador (planner)`,
    foreign: (type) => (type === 'goal' ? 'el objetivo es de otra persona' : 'la tarea es de otra persona'),
    'too-many': () => 'una respuesta crea y cambia como mucho 50 registros',
    'no-text': () => 'no se dio ningún título, y no se pudo hacer ninguno',
    'no-change': () => 'no se dice a qué hay que cambiarlo',
    'no-goal': () => 'no se pudo crear el objetivo al que iban a pertenecer'
  }
}

const nothing = {
  en: 'Nothing was saved or changed.',
  es: 'No se guardó ni se cambió nada.'
}

const notAllowed = {
  en: 'Nothing was saved or changed: that has to be allowed with the request (`allowWrites`).',
  es: 'No se guardó ni se cambió nada: hay que permitirlo con la petición (`allowWrites`).'
}

const notUnderstood = {
  en: 'I could not make out what to create or change.',
  es: 'No pude entender qué hay que crear o cambiar.'
}

/** What is said where nothing was changed though somebody may think so. */
export const nothingSaved = (language: Language, allowed: boolean): string =>
  allowed ? nothing[language] : notAllowed[language]

/** What is said where a message may have asked for changes and no plan of them could be made. */
export const nothingUnderstood = (language: Language): string => `${notUnderstood[language]} ${nothing[language]}`

/**
 * What a run saves and what it does not, in words of the platform: made from what was settled, so that it claims no more
 * than is committed with the answer.
 */
export function reportOf(outcomes: Outcome[], language: Language): string {
  const lines = outcomes.map((outcome) => lineOf(outcome, language))
  const saved = outcomes.some(({ kind }) => kind === 'created' || kind === 'changed')
  return [...new Set(lines), ...(saved ? [] : [nothing[language]])].join('\n\n')
}

function lineOf(outcome: Outcome, language: Language): string {
  if (outcome.kind === 'created') return createdLine(outcome, language)
  if (outcome.kind === 'changed') return changedLine(outcome, language)
  if (outcome.kind === 'unclear') return questionOf(outcome.unclear, language)
  const { type, names, why } = outcome
  const which = names.length > 0 ? ` ${names.slice(0, 5).map(quoted).join(', ')}` : ''
  const reason = typeof why === 'string' ? refusals[language][why](type) : plain(why.problem)
  return language === 'es' ? `No hecho${which}: ${reason}.` : `Not done${which}: ${reason}.`
}

function createdLine({ type, titles, goal, leftOut }: Extract<Outcome, { kind: 'created' }>, language: Language) {
  const [first = ''] = titles
  const one = titles.length === 1
  const into =
    goal === null
      ? ''
      : language === 'es'
        ? ` en el objetivo ${quoted(goal)}`
        : ` in ${type === 'task' ? 'the goal ' : ''}${quoted(goal)}`
  const many = `${titles.length} ${nouns[language][`${type}s`]}`
  const head =
    language === 'es'
      ? one
        ? `Creado: ${nouns.es[type]} ${quoted(first)}${into}.`
        : `Creado: ${many}${into}:`
      : one
        ? `Created the ${nouns.en[type]} ${quoted(first)}${into}.`
        : `Created ${many}${into}:`
  const list = one ? [] : titles.map((title) => `- ${quoted(title)}`)
  const rest = leftOut.map((problem) => `\n\n${language === 'es' ? 'No hecho' : 'Not done'}: ${plain(problem)}.`)
  return [head, ...list].join('\n') + rest.join('')
}

function changedLine({ type, title, to }: Extract<Outcome, { kind: 'changed' }>, language: Language): string {
  const record = `${language === 'es' ? nouns.es[type] : `the ${nouns.en[type]}`} ${quoted(title)}`
  const only = Object.values(to).filter((value) => value !== undefined && value !== false).length === 1
  if (only && to.status === 'completed') {
    return language === 'es' ? `Completado: ${record}.` : `Marked ${record} as completed.`
  }
  if (only && to.title !== undefined) {
    return language === 'es'
      ? `Renombrado: ${record} se llama ahora ${quoted(to.title)}.`
      : `Renamed ${record} to ${quoted(to.title)}.`
  }
  const { title: name, status, due, goal, description } = to
  const parts =
    language === 'es'
      ? [
          name !== undefined && `nuevo título ${quoted(name)}`,
          status !== undefined && `estado ${status}`,
          due !== undefined && `fecha ${due.slice(0, 10)}`,
          goal !== undefined && `movida al objetivo ${quoted(goal)}`,
          description === true && 'nueva descripción'
        ]
      : [
          name !== undefined && `new title ${quoted(name)}`,
          status !== undefined && `status ${status}`,
          due !== undefined && `due ${due.slice(0, 10)}`,
          goal !== undefined && `moved to the goal ${quoted(goal)}`,
          description === true && 'new description'
        ]
  const changes = parts.filter((part) => part !== false).join(', ')
  return language === 'es' ? `Cambiado: ${record} (${changes}).` : `Changed ${record}: ${changes}.`
}

function questionOf({ kind, type, said, candidates }: Unclear, language: Language): string {
  const listed = candidates.map(plain)
  const last = listed.length > 1 ? [listed.slice(0, -1).join(', '), listed.at(-1)] : listed
  const choice = last.join(language === 'es' ? ' o ' : ' or ')
  if (language === 'es') {
    const noun = type === 'goal' ? 'objetivo' : 'tarea'
    const which = `¿Qué ${noun} quieres decir${choice && `: ${choice}`}?`
    if (kind === 'other-title') return `Ese id es de ${choice}, y no de ${quoted(said)}. ${which}`
    if (kind === 'none' && said !== '') {
      return `No tienes ${type === 'goal' ? 'ningún objetivo' : 'ninguna tarea'} con el nombre ${quoted(said)}.${choice && ` ${which}`}`
    }
    return which
  }
  const which = `Which ${type} do you mean${choice && `: ${choice}`}?`
  if (kind === 'other-title') return `That id is the one of ${choice}, not of ${quoted(said)}. ${which}`
  if (kind === 'none' && said !== '') return `You have no ${type} called ${quoted(said)}.${choice && ` ${which}`}`
  return which
}

/** Without signs that mean something in Markdown, or would make a citation or a link of a title. */
const plain = (text: string): string =>
  text
    .replace(/[[\]\n\r`<>*_|\\]/g, ' ')
    .replace(/ {2,}/g, ' ')
    .trim()
const quoted = (text: string): string => `“${plain(text)}”`
