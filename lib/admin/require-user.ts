import { notFound } from '../errors/app-error.ts'
import type { UserStore } from '../store/people/users.ts'

/** @throws AppError 404 when there is no such user */
export type RequireUser = (userId: string) => Promise<void>

export function createRequireUser({ users }: { users: Pick<UserStore, 'find'> }): RequireUser {
  return async (userId) => {
    if (!(await users.find(userId))) throw notFound('the user')
  }
}
