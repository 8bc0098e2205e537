import { notFound } from '../errors.ts'
import type { UserStore } from '../store/users-credentials.ts'

/** @throws AppError 404 when there is no such user */
export type MustExist = (userId: string) => Promise<void>

export function createMustExist({ users }: { users: Pick<UserStore, 'find'> }): MustExist {
  return async (userId) => {
    if (!(await users.find(userId))) throw notFound('the user')
  }
}
