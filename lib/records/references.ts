import type { Reference } from '../actions/references.ts'
import { invalid } from '../errors/app-error.ts'
import type { ThreadStore } from '../store/records/threads.ts'
import type { Access } from './access.ts'
import type { Person } from './viewer.ts'

export type CheckReferences = (person: Person, references: readonly Reference[]) => Promise<void>

/** Looks, before a job is accepted, whether what its input names can be seen. */
export function createReferences({
  access,
  threads
}: {
  access: Pick<Access, 'canSee'>
  threads: Pick<ThreadStore, 'find'>
}): CheckReferences {
  async function canSee(person: Person, { type, id }: Reference): Promise<boolean> {
    // a conversation is its owner's alone, administrators included
    if (type === 'thread') return (await threads.find(person.id, id)) !== undefined
    return await access.canSee(person, { type, id })
  }

  /** @throws AppError 422 that names every field which refers to something unknown or foreign */
  return async (person, references) => {
    const seen = await Promise.all(references.map((reference) => canSee(person, reference)))
    const errors = references
      .filter((_, index) => !seen[index])
      .map(({ field, refusal }) => ({ path: field, message: refusal }))
    if (errors.length > 0) throw invalid(errors)
  }
}
