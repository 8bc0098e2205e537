import type { Request, Response } from 'express'
import { namesEtag } from '../lib/etag.ts'
import type { Reply } from './endpoint.ts'

/** Sends a handler's reply. A read whose entity tag the client names already is answered 304 (RFC 9110, 13.1.2). */
export function sendReply(req: Request, res: Response, reply: Reply): void {
  if (reply === 'streamed') return
  const { status, body, headers = {} } = reply
  if (!res.hasHeader('Cache-Control')) res.set('Cache-Control', 'private, no-cache')
  res.set(headers)
  const seen = req.get('if-none-match')
  const isRead = req.method === 'GET' || req.method === 'HEAD'
  if (isRead && status === 200 && seen !== undefined && headers.ETag && namesEtag(seen, headers.ETag, { weak: true })) {
    res.status(304).end()
  } else if (body === undefined) res.status(status).end()
  else res.status(status).json(body)
}
