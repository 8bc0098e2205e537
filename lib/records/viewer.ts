import { type Actor, isAdmin } from '../auth/actor.ts'
import type { Viewer } from '../store/record-store.ts'

/** Administrators see everything, others what the stores let them. */
export const viewerOf = (actor: Pick<Actor, 'id' | 'role'>): Viewer => ({ userId: actor.id, seesAll: isAdmin(actor) })

/** Reads regardless of the person, for what belongs to a record that was found before. */
export const everyone: Viewer = { userId: '', seesAll: true }
