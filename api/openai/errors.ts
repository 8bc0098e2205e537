import type { ErrorRequestHandler, Request, Response } from 'express'
import type OpenAI from 'openai'
import type { AppError, ErrorCode, FieldError } from '../../lib/errors/app-error.ts'
import type { Logger } from '../../lib/logger.ts'
import { logProblem, toAppError } from '../middleware/problems.ts'
import { jobHeader } from './job-header.ts'
import { showRequestLimits } from './request-limits.ts'
import { type ErrorBody, typeOf, WireError } from './wire-error.ts'

/** What that API calls what we call otherwise; the rest keeps its code and status. */
const words: Partial<Record<ErrorCode, { status?: number; type?: string; code: string }>> = {
  unauthorized: { code: 'invalid_api_key' },
  forbidden: { code: 'insufficient_permissions' },
  method_not_allowed: { code: 'method_not_supported' },
  rate_limited: { type: 'requests', code: 'rate_limit_exceeded' },
  budget_exceeded: { type: 'insufficient_quota', code: 'insufficient_quota' },
  unavailable: { code: 'service_unavailable' },
  internal: { code: 'internal_error' }
}

/** An error as OpenAI's API would have answered it. */
function toWireError(error: unknown, req: Request, res: Response): WireError {
  if (error instanceof WireError) return error
  return translated(toAppError(error), req, res)
}

function translated(error: AppError, req: Request, res: Response): WireError {
  const { code, message, extras } = error
  const headers = { ...extras.headers, ...(code === 'budget_exceeded' ? { 'x-should-retry': 'false' } : {}) }
  if (code === 'invalid') return wrongParameter(extras.errors?.[0], message)
  if (code === 'not_found' && res.locals.route === undefined) {
    const url = `Invalid URL (${req.method} ${req.baseUrl}${req.path})`
    return new WireError(404, { message: url, code: 'unknown_url' })
  }
  const { status = error.status, type = typeOf(status), code: word } = words[code] ?? { code }
  return new WireError(status, { message, type, code: word }, headers)
}

/** That API names one wrong parameter, and answers 400. */
function wrongParameter(wrong: FieldError | undefined, message: string): WireError {
  const param = wrong && wrong.path !== '' ? parameterName(wrong.path) : null
  if (!wrong) return new WireError(400, { message, code: 'invalid_value' })
  if (!param) return new WireError(400, { message: `The body ${wrong.message}`, code: 'invalid_value' })
  if (wrong.message === 'is required') {
    return new WireError(400, {
      message: `Missing required parameter: '${param}'.`,
      param,
      code: 'missing_required_parameter'
    })
  }
  return new WireError(400, { message: `Invalid '${param}': ${wrong.message}.`, param, code: 'invalid_value' })
}

/** `messages.0.content` as that API writes it: `messages[0].content`. */
const parameterName = (path: string): string => path.replace(/\.(\d+)(?=\.|$)/g, '[$1]')

/** The body of an error, also as the last event of a stream. */
export const errorBody = ({ body }: WireError) =>
  ({ error: body satisfies ErrorBody }) satisfies { error: Partial<OpenAI.ErrorObject> }

/**
 * The error handler of everything below `/v1`. What fails once the job is there says that nobody needs to send it again:
 * the job has been tried as often as it helps.
 */
export function openAiErrors({ log }: { log: Logger }): ErrorRequestHandler {
  return (error: unknown, req, res, _next) => {
    if (!(error instanceof WireError)) logProblem(log, req, error)
    if (res.headersSent) {
      res.destroy()
      return
    }
    const wire = toWireError(error, req, res)
    res.status(wire.status).set(wire.headers)
    if (res.hasHeader(jobHeader)) res.set('x-should-retry', 'false')
    showWait(res)
    if (res.locals.userId !== undefined) showRequestLimits(res)
    res.set('Content-Type', 'application/json; charset=utf-8').send(JSON.stringify(errorBody(wire)))
  }
}

/** `retry-after-ms` beside `Retry-After`: clients of that API look at it first. */
function showWait(res: Response): void {
  const seconds = Number(res.getHeader('Retry-After'))
  if (seconds > 0) res.set('retry-after-ms', String(seconds * 1_000))
}
