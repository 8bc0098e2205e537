import type { ChangeableType } from '../schemas/chat.ts'
import type { OwnTitle, OwnTitles } from '../store/own-titles.ts'
import { type Match, matchTitle, wordTitles } from './match-title.ts'
import type { Person } from './viewer.ts'

/** Records older than these are found by their id alone. */
const mostTitles = 1_000
const uuid = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/i

export type Naming = ReturnType<typeof createNaming>

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

      return {
        /** By an id in the words, or by title. */
        async find(type: ChangeableType, said: string): Promise<Match<OwnTitle>> {
          const id = uuid.exec(said)?.[0].toLowerCase()
          if (id === undefined) return matchTitle(said, await all(type))
          const record = await titles.find(person.id, type, id)
          return record ? { kind: 'one', record } : { kind: 'none' }
        },

        /** The one that is open, when there is no other, of a goal when one is given. */
        async onlyOpen(type: ChangeableType, goalId?: string): Promise<OwnTitle | undefined> {
          const open = (await all(type)).filter(
            ({ record }) => record.isOpen && (goalId === undefined || record.goalId === goalId)
          )
          return open.length === 1 ? open[0]?.record : undefined
        }
      }
    }
  }
}
