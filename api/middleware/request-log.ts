import type { Request, RequestHandler, Response } from 'express'
import type { Logger } from '../../lib/logger.ts'

/** Requests that come every few seconds by nature and are logged only when they fail. */
const routine = /^\/(health|metrics)(\/|$)/

/** One line for each answer: who asked for which route, what came of it and how long it took. No bodies, queries, headers. */
export function requestLog({ log }: { log: Logger }): RequestHandler {
  return (req, res, next) => {
    const from = Date.now()
    res.once('close', () => {
      log[levelOf(req, res)]({ requestId: req.id, ...facts(req, res, Date.now() - from) }, 'request')
    })
    next()
  }
}

function levelOf(req: Request, res: Response): 'error' | 'debug' | 'info' {
  if (res.statusCode >= 500) return 'error'
  return routine.test(pathOf(req)) ? 'debug' : 'info'
}

function facts(req: Request, res: Response, tookMs: number): Record<string, unknown> {
  const { route, userId } = res.locals as { route?: string; userId?: string }
  return {
    method: req.method,
    ...(route === undefined ? { path: pathOf(req).slice(0, 200) } : { route }),
    status: res.statusCode,
    tookMs,
    ...(userId === undefined ? {} : { userId }),
    ...(res.writableFinished ? {} : { aborted: true })
  }
}

const pathOf = (req: Request): string => (req.originalUrl ?? req.url).split('?')[0] ?? ''
