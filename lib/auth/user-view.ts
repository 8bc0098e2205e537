import type { UserView } from '../schemas/user.ts'
import type { UserRow } from '../store/people/users.ts'

/** A person as the outside sees them: never the hash. */
export function toUserView(row: UserRow): UserView {
  return {
    id: row.id,
    email: row.email,
    name: row.name,
    role: row.role,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString()
  }
}
