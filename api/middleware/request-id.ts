import type { RequestHandler } from 'express'
import { newId } from '../../lib/ids.ts'

declare module 'express-serve-static-core' {
  interface Request {
    /** see `requestId` */
    id: string
  }
}

/** Gives each request an id, the client's own `X-Request-Id` when it is a sane one, and sends it back. */
export function requestId(): RequestHandler {
  return (req, res, next) => {
    const given = req.get('x-request-id')
    const id = given !== undefined && /^[\w.:-]{1,100}$/.test(given) ? given : newId()
    req.id = id
    res.set('X-Request-Id', id)
    next()
  }
}
