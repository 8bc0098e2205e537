import type { Access } from '../../lib/records/access.ts'
import { namesNothing } from '../../lib/records/match-title.ts'
import type { Naming } from '../../lib/records/naming.ts'
import type { Person } from '../../lib/records/viewer.ts'
import type { ChangeableType, ChatInput } from '../../lib/schemas/chat.ts'

export type Referred = { id: string; title: string; goalId: string; userId: string }
export type Reference = { ok: true; record: Referred } | { ok: false; message: string }
export type References = ReturnType<typeof createReferences>

/** Longest title that is told of a record nobody chose. */
const shownChars = 80

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
  input: Pick<ChatInput, 'goalId' | 'taskId'>
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

  return {
    /** @param said what they call it; `null` for the one they are looking at */
    async find(type: ChangeableType, said: string | null): Promise<Reference> {
      const near = await lookedAt(type)
      const isPointedAt = said === null || namesNothing(said)
      if (isPointedAt && near) return { ok: true, record: near }
      const match = said === null ? undefined : await names.find(type, said)
      if (match?.kind === 'one') return { ok: true, record: { userId: person.id, ...match.record } }
      if (isPointedAt || !match) {
        const record = await names.onlyOpen(type, type === 'task' ? input.goalId : undefined)
        return record
          ? { ok: true, record: { userId: person.id, ...record } }
          : { ok: false, message: `it is not said which ${type} is meant` }
      }
      if (match.kind === 'none') return { ok: false, message: `there is no ${type} of theirs by that name` }
      const nearest = match.records.find(({ id }) => id === near?.id)
      if (nearest) return { ok: true, record: { userId: person.id, ...nearest } }
      const titles = match.records.slice(0, 3).map(({ title }) => `“${title.slice(0, shownChars)}”`)
      return { ok: false, message: `several ${type}s may be meant: ${titles.join(', ')}` }
    }
  }
}
