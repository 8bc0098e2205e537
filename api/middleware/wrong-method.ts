import type { RequestHandler } from 'express'
import { AppError } from '../../lib/errors/app-error.ts'

/** A path that is there, asked in a way it does not take (RFC 9110, 15.5.6). */
export function methodNotAllowed(allow: string[]): AppError {
  const list = allow.join(', ')
  return new AppError('method_not_allowed', `This path takes ${list}`, { headers: { Allow: list } })
}

/** To stand behind a path's own handlers. */
export const onlyTakes =
  (...methods: string[]): RequestHandler =>
  () => {
    throw methodNotAllowed(methods)
  }
