import {
  fullerName,
  isMentioned,
  isSaidIn,
  matchTitle,
  namesNothing,
  namesOneOf,
  onlyOrders,
  quotedNames,
  tellingWords,
  withoutLead,
  withoutTexts,
  wordsOf,
  wordTitles
} from '@goals/text'
import type { Access } from '../../lib/records/access.ts'
import { idIn, type Naming } from '../../lib/records/naming.ts'
import type { Person } from '../../lib/records/viewer.ts'
import type { ChangeableType, ChatInput } from '../../lib/schemas/chat.ts'

export type Referred = { id: string; title: string; goalId: string; userId: string }
type Candidate = { id: string; title: string; goalId: string }
/** Why no record is meant; `candidates` are the titles worth asking about. */
export type Unclear = {
  kind: 'none' | 'several' | 'unsaid' | 'other-title'
  type: ChangeableType
  said: string
  candidates: string[]
}
export type Reference = { ok: true; record: Referred } | { ok: false; message: string; unclear: Unclear }
export type References = ReturnType<typeof createReferences>

/** Longest title that is told of a record nobody chose. */
const shownChars = 80
const mostCandidates = 3

/** Which record a change is to be made to, as a plan says it. */
type Named = {
  type: ChangeableType
  /** its title in the user's words; `null` for the one they are looking at */
  said: string | null
  /** its id, which has to be the one of the record with that title */
  id?: string | null
  /** what records are to become, or to be created with: these words name no record that there is */
  given?: string[]
  /** whether the only open one may be meant by a message that has other words, too */
  lenient?: boolean
}

/**
 * Finds the record that a plan means: the one the request refers to, one of the person's own by what they call it, or
 * the only one that is open. When several may be meant, none is.
 */
export function createReferences({
  person,
  input,
  access,
  naming
}: {
  person: Person
  input: Pick<ChatInput, 'goalId' | 'taskId' | 'message'>
  access: Pick<Access, 'visibleGoal' | 'visibleTask'>
  naming: Naming
}) {
  const names = naming.of(person)

  async function lookedAt(type: ChangeableType): Promise<Referred | undefined> {
    const task = input.taskId === undefined ? undefined : await access.visibleTask(person, input.taskId)
    if (type === 'task') return task
    const goalId = input.goalId ?? task?.goalId
    const goal = goalId === undefined ? undefined : await access.visibleGoal(person, goalId)
    return goal && { ...goal, goalId: goal.id }
  }

  const own = (record: Candidate): Reference => ({ ok: true, record: { userId: person.id, ...record } })

  async function unclear(
    kind: Unclear['kind'],
    type: ChangeableType,
    said: string | null,
    records: Candidate[]
  ): Promise<Reference> {
    const candidates: string[] = []
    for (const { title, goalId } of records.slice(0, mostCandidates)) {
      const alike = records.filter((other) => other.title === title).length > 1
      const goal = alike && type === 'task' ? await names.goalTitle(goalId) : undefined
      candidates.push(`“${shown(title)}”${goal === undefined ? '' : ` (“${shown(goal)}”)`}`)
    }
    const why = { kind, type, said: shown(withoutLead(said ?? '')), candidates }
    return { ok: false, message: reasonOf(why), unclear: why }
  }

  /** @param said what they call it; `null` for the one they are looking at */
  async function find(type: ChangeableType, said: string | null): Promise<Reference> {
    const near = await lookedAt(type)
    const isPointedAt = said === null || namesNothing(said)
    if (isPointedAt && near) return { ok: true, record: near }
    const match = said === null ? undefined : await names.find(type, said)
    if (match?.kind === 'one') return own(match.record)
    if (isPointedAt || !match) {
      const record = await names.onlyOpen(type, type === 'task' ? input.goalId : undefined)
      return record ? own(record) : await unclear('unsaid', type, said, [])
    }
    if (match.kind === 'none') return await unclear('none', type, said, match.near)
    const nearest = match.records.find(({ id }) => id === near?.id)
    return nearest ? own(nearest) : await unclear('several', type, said, match.records)
  }

  /** The record with an id that the user's words or the request have, if it is called as they call it. */
  async function byId(type: ChangeableType, id: string, name: string): Promise<Reference> {
    const known = input.message.toLowerCase().includes(id) || id === input.taskId || id === input.goalId
    const near = await lookedAt(type)
    const match = known ? await names.find(type, id) : undefined
    const record = near?.id === id ? near : match?.kind === 'one' ? match.record : undefined
    if (!record) return await unclear('none', type, id, [])
    const agrees = namesNothing(name) || matchTitle(name, wordTitles([record])).kind === 'one'
    return agrees ? own(record) : await unclear('other-title', type, name, [record])
  }

  /** Whether the words name another record than the one that is pointed at. */
  async function othersIn(type: ChangeableType, words: string, near: Referred | undefined): Promise<Candidate[]> {
    return await names.those(
      type,
      ({ id, title }) =>
        id !== near?.id &&
        title !== near?.title &&
        (tellingWords(wordsOf(title)).length > 1 || quotedNames(words).some((name) => isMentioned(title, name))) &&
        isMentioned(title, words)
    )
  }

  async function pointedAt({ type, said, lenient = false }: Named, words: string): Promise<Reference> {
    const near = await lookedAt(type)
    const others = await othersIn(type, words, near)
    const isNamed = near !== undefined && isMentioned(near.title, words)
    if (others.length > 0) return await unclear('several', type, said, near ? [near, ...others] : others)
    const quoted = quotedNames(words)
    if (!isNamed && ((quoted.length > 0 && !lenient) || namesOneOf(type, words))) {
      return await unclear('unsaid', type, said, near ? [near] : [])
    }
    if (near) return { ok: true, record: near }
    const record = await names.onlyOpen(type, type === 'task' ? input.goalId : undefined)
    if (record && (lenient || onlyOrders(words))) return own(record)
    return await unclear('unsaid', type, said, record ? [record] : [])
  }

  return {
    find,

    /**
     * The same for a record that is to be changed: it has to be named by the user's own words, not only by the plan's,
     * and by its whole name where they say more than the plan does.
     */
    async named(wanted: Named): Promise<Reference> {
      const { type, said, given = [] } = wanted
      const { id: idSaid, name } = idIn(said ?? '')
      const id = idIn(wanted.id ?? '').id ?? idSaid
      if (id !== undefined) return await byId(type, id, name)
      const letters = wordsOf(name).join('')
      const others = given.filter((text) => wordsOf(text).join('') !== letters)
      const words = withoutTexts(input.message, others)
      if (said === null || namesNothing(said)) {
        const whole = said === null ? undefined : await names.find(type, said)
        return whole?.kind === 'one' ? own(whole.record) : await pointedAt(wanted, words)
      }
      const full = fullerName(said, words)
      const match = await names.find(type, full)
      if (!isSaidIn(said, words)) {
        return await unclear('unsaid', type, said, match.kind === 'one' ? [match.record] : [])
      }
      if (match.kind === 'none') return await unclear('none', type, full, match.near)
      const near = await lookedAt(type)
      const record = match.kind === 'one' ? match.record : match.records.find((one) => one.id === near?.id)
      if (!record) return await unclear('several', type, full, match.kind === 'several' ? match.records : [])
      const longer = (await othersIn(type, words, undefined)).filter((other) => isWithin(record.title, other.title))
      return longer.length === 0 ? own(record) : await unclear('several', type, full, [record, ...longer])
    }
  }
}

/** Whether a title has all the words of another, and more. */
function isWithin(title: string, longer: string): boolean {
  const words = tellingWords(wordsOf(title))
  const all = tellingWords(wordsOf(longer))
  return all.length > words.length && words.every((word) => all.includes(word))
}

const shown = (text: string): string =>
  text.length > shownChars ? `${text.slice(0, shownChars).toWellFormed()}…` : text

function reasonOf({ kind, type, said, candidates }: Unclear): string {
  const list = candidates.join(', ')
  if (kind === 'several') return `several ${type}s may be meant: ${list}`
  if (kind === 'other-title') return `the ${type} with that id is ${list}, and not called “${said}”`
  if (kind === 'none') return `there is no ${type} of theirs by that name${list && `; nearest are ${list}`}`
  return `it is not said which ${type} is meant${list && `; it may be ${list}`}`
}
