import { type Actor, isAdmin } from '../access/actor.ts'
import type { Viewer } from '../store/records/record-store.ts'

/** Who reads or writes: an `Actor` will do, and so does a job's user with their role. */
export type Person = Pick<Actor, 'id' | 'role'>

/** Administrators see everything, others what the stores let them. */
export const viewerOf = (actor: Person): Viewer => ({ userId: actor.id, seesAll: isAdmin(actor) })

/** Reads regardless of the person, for what belongs to a record that was found before. */
export const everyone: Viewer = { userId: '', seesAll: true }
