import { type Match, matchTitle, tellingWords, wordsOf, wordTitles } from '@goals/text'
import type { ChangeableType } from '../schemas/chat.ts'
import type { OwnTitle, OwnTitles } from '../store/records/own-titles.ts'
import type { Person } from './viewer.ts'

/** Records older than these are found by their id alone. */
const mostTitles = 1_000
const uuid = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/i
/** Between a task and its goal: "Leap in my goal JavaScript", "Leap de Python". */
const between = new Set(['in', 'from', 'en', 'within', 'under', 'dentro', 'and', 'y'])

export type Naming = ReturnType<typeof createNaming>
/** What somebody calls a record, with an id when there is one in the words. */
type Said = { id: string | undefined; name: string }

/** The id among the words, and the words without it. */
export function idIn(said: string): Said {
  const id = uuid.exec(said)?.[0].toLowerCase()
  return { id, name: id === undefined ? said : said.replace(uuid, ' ').trim() }
}

/**
 * Tells which of a person's own goals and tasks they mean by what they call it. Done by code, so that the text of no
 * record has a say in it.
 */
export function createNaming({ titles }: { titles: OwnTitles }) {
  return {
    /** The names of a person's records, read once for each type when they are first asked for. */
    of(person: Pick<Person, 'id'>) {
      const known = new Map<ChangeableType, Promise<ReturnType<typeof wordTitles<OwnTitle>>>>()

      function all(type: ChangeableType) {
        const there = known.get(type) ?? titles.newest(person.id, type, mostTitles).then(wordTitles)
        known.set(type, there)
        return there
      }

      async function byTitle(type: ChangeableType, said: string): Promise<Match<OwnTitle>> {
        const match = matchTitle(said, await all(type))
        if (match.kind === 'one' || type === 'goal') return match
        const inGoal = await withinGoal(said)
        if (inGoal.length === 0) return match
        return inGoal.length === 1
          ? { kind: 'one', record: inGoal[0] as OwnTitle }
          : { kind: 'several', records: inGoal }
      }

      /** Tasks whose title begins the words, when the rest of them names their goal. */
      async function withinGoal(said: string): Promise<OwnTitle[]> {
        const words = tellingWords(wordsOf(said))
        const goals = new Map((await all('goal')).map(({ record, words: own }) => [record.id, own]))
        return (await all('task'))
          .filter(({ record, words: own }) => {
            if (own.length === 0 || own.some((word, at) => words[at] !== word)) return false
            const rest = words.slice(own.length).filter((word) => !between.has(word))
            const goal = goals.get(record.goalId)
            return rest.length > 0 && goal !== undefined && rest.every((word) => goal.includes(word))
          })
          .map(({ record }) => record)
      }

      return {
        /** By an id in the words, or by title. */
        async find(type: ChangeableType, said: string): Promise<Match<OwnTitle>> {
          const { id } = idIn(said)
          if (id === undefined) return await byTitle(type, said)
          const record = await titles.find(person.id, type, id)
          return record ? { kind: 'one', record } : { kind: 'none', near: [] }
        },

        /** The one that is open, when there is no other, of a goal when one is given. */
        async onlyOpen(type: ChangeableType, goalId?: string): Promise<OwnTitle | undefined> {
          const open = (await all(type)).filter(
            ({ record }) => record.isOpen && (goalId === undefined || record.goalId === goalId)
          )
          return open.length === 1 ? open[0]?.record : undefined
        },

        /** Records that a condition holds for. */
        async those(type: ChangeableType, holds: (record: OwnTitle) => boolean): Promise<OwnTitle[]> {
          return (await all(type)).map(({ record }) => record).filter(holds)
        },

        /** The title of one of their goals. */
        async goalTitle(id: string): Promise<string | undefined> {
          return (await all('goal')).find(({ record }) => record.id === id)?.record.title
        }
      }
    }
  }
}
