import type { Actor } from './actor.ts'
import { invalidField } from '../errors/app-error.ts'
import type { scopeNames } from '../schemas/rag.ts'

export type ScopeName = (typeof scopeNames)[number]

const made: unique symbol = Symbol('scope')

/**
 * What a search may find, for whom. Only `createScopes` makes one, so a search without a user whose rights were looked
 * at does not compile; `none` finds nothing.
 *
 * - `user`: what the user owns
 * - `course`: the documents of the course, and the user's own goals, tasks and code snapshots in it
 * - `global`: global documents and those of public courses
 */
export type Scope = (
  | { readonly kind: 'user' | 'global' | 'none' }
  | { readonly kind: 'course'; readonly courseId: string }
) & { readonly userId: string; readonly role: Actor['role']; readonly [made]: true }

type Person = Pick<Actor, 'id' | 'role'>
type Wanted = { scope: ScopeName; courseId?: string | undefined }

/** The part of `lib/records/access.ts` that scopes ask. */
export type CourseAccess = { visibleCourse(person: Person, courseId: string): Promise<object | undefined> }

export type Scopes = ReturnType<typeof createScopes>

export function createScopes({ access }: { access: CourseAccess }) {
  const sees = async (person: Person, { courseId }: Wanted) =>
    courseId === undefined || (await access.visibleCourse(person, courseId)) !== undefined

  return {
    /**
     * For a request, before it is accepted.
     * @throws AppError 422 naming `courseId` when the user does not see the course
     */
    async for(person: Person, wanted: Wanted): Promise<Scope> {
      if (!(await sees(person, wanted))) throw invalidField('courseId', 'is not a course you can see')
      return toScope(person, wanted)
    },

    /** For a job or an agent at work: a course that is not, or no longer, seen makes a scope that finds nothing. */
    async forRun(person: Person, wanted: Wanted): Promise<Scope> {
      return toScope(person, (await sees(person, wanted)) ? wanted : undefined)
    }
  }
}

/** The same person in one course: the search itself looks whether they see it. */
export function inCourse({ userId, role, kind }: Scope, courseId: string): Scope {
  return kind === 'none'
    ? { kind, userId, role, [made]: true }
    : { kind: 'course', courseId, userId, role, [made]: true }
}

/** The same person among what everybody sees. */
export function amongGlobal({ userId, role, kind }: Scope): Scope {
  return { kind: kind === 'none' ? 'none' : 'global', userId, role, [made]: true }
}

/** Whether it was made here: what a type cannot hold off at run time is refused. */
export const isScope = (value: unknown): value is Scope => typeof value === 'object' && value !== null && made in value

function toScope({ id: userId, role }: Person, wanted: Wanted | undefined): Scope {
  const person = { userId, role, [made]: true as const }
  if (wanted?.scope === 'user' || wanted?.scope === 'global') return { kind: wanted.scope, ...person }
  if (wanted?.courseId === undefined) return { kind: 'none', ...person }
  return { kind: 'course', courseId: wanted.courseId, ...person }
}
