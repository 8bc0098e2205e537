import type { ErrorRequestHandler, Request, Response } from 'express'
import { AppError } from '../../lib/errors/app-error.ts'
import type { Logger } from '../../lib/logger.ts'
import { isOutage } from '../../lib/errors/outage.ts'

const retryAfterOutageSeconds = '2'

/** SQLSTATE of a write that lost a race the code could not see: what it refers to has gone, or what it adds is there. */
const lostRaces = new Set(['23503', '23505'])

/** What an error is to the client. Whatever was not foreseen says nothing about itself. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error
  if (isOutage(error)) {
    return new AppError('unavailable', 'A service this depends on is away: try again soon', {
      cause: error,
      headers: { 'Retry-After': retryAfterOutageSeconds }
    })
  }
  const code = (error as { code?: unknown } | null)?.code
  if (typeof code === 'string') {
    if (lostRaces.has(code)) return new AppError('conflict', 'Something changed at the same moment', { cause: error })
    // Data exceptions (22) and limits (54): a value that PostgreSQL cannot hold came from whoever sent it.
    if (/^(?:22|54)[0-9A-Z]{3}$/.test(code)) {
      return new AppError('invalid', 'A value cannot be stored', { cause: error })
    }
  }
  return new AppError('internal', 'Something went wrong here', { cause: error })
}

/** Sends the problem document of an error (RFC 9457). The answer may carry fields already: limits, request id. */
function sendProblem(req: Request, res: Response, error: AppError): void {
  const { type = 'about:blank', members, errors, headers } = error.extras
  const { title, status, code, message: detail } = error
  const body = {
    type,
    title,
    status,
    detail,
    code,
    requestId: typeof req.id === 'string' ? req.id : '',
    ...(errors ? { errors } : {}),
    ...members
  }
  res.status(status)
  if (headers) res.set(headers)
  res.set('Content-Type', 'application/problem+json; charset=utf-8').send(JSON.stringify(body))
}

/** Logs what nobody foresaw, and what foreseen errors hide, without anything a client wrote. @returns what it is to the client */
export function logProblem(log: Logger, req: Request, error: unknown): AppError {
  const problem = toAppError(error)
  if (problem.status >= 500) {
    log.error({ requestId: req.id, code: problem.code, err: problem.cause ?? problem }, 'request failed')
  } else if (problem.cause && problem !== error) {
    log.warn({ requestId: req.id, code: problem.code, err: problem.cause }, 'request refused by a store')
  }
  return problem
}

/** The error handler of everything but `/v1`, which has words of its own. */
export function problemHandler({ log }: { log: Logger }): ErrorRequestHandler {
  return (error: unknown, req, res, _next) => {
    const problem = logProblem(log, req, error)
    if (res.headersSent) res.destroy()
    else sendProblem(req, res, problem)
  }
}
