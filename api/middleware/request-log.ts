import type { Request, RequestHandler, Response } from 'express'
import { pinoHttp } from 'pino-http'
import type { Logger } from '../../lib/logger.ts'

/** Requests that come every few seconds by nature and are logged only when they fail. */
const routine = /^\/(health|metrics)(\/|$)/

/** One line for each answer: who asked for which route, what came of it and how long it took. No bodies, queries, headers. */
export function requestLog({ log }: { log: Logger }): RequestHandler {
  return pinoHttp<Request, Response>({
    logger: log,
    genReqId: (req) => req.id,
    wrapSerializers: false,
    quietReqLogger: true,
    serializers: {
      req: () => undefined,
      res: () => undefined,
      err: () => undefined // the error handler has logged it
    },
    customLogLevel: (req, res) => {
      if (res.statusCode >= 500) return 'error'
      return routine.test(pathOf(req)) ? 'debug' : 'info'
    },
    customSuccessMessage: () => 'request',
    customErrorMessage: () => 'request',
    customAttributeKeys: { reqId: 'requestId' },
    customSuccessObject: (req, res, { responseTime }: { responseTime: number }) => facts(req, res, responseTime),
    customErrorObject: (req, res, _error, { responseTime }: { responseTime: number }) => facts(req, res, responseTime)
  }) as unknown as RequestHandler
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
