import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate } from 'node:timers/promises'
import type { Request, Response } from 'express'
import { namesEtag } from '../lib/etag.ts'
import type { Reply } from './endpoint.ts'
import { isLong, jsonPieces } from './json-pieces.ts'

/** Others have their turn when so much of a long answer has been written as JSON. */
const bytesInARow = 256 * 1024

/** Sends a handler's reply. A read whose entity tag the client names already is answered 304 (RFC 9110, 13.1.2). */
export async function sendReply(req: Request, res: Response, reply: Reply): Promise<void> {
  if (reply === 'streamed') return
  const { status, body, headers = {} } = reply
  if (!res.hasHeader('Cache-Control')) res.set('Cache-Control', 'private, no-cache')
  res.set(headers)
  const seen = req.get('if-none-match')
  const isRead = req.method === 'GET' || req.method === 'HEAD'
  if (isRead && status === 200 && seen !== undefined && headers.ETag && namesEtag(seen, headers.ETag, { weak: true })) {
    res.status(304).end()
  } else if (body === undefined) res.status(status).end()
  else if (isLong(body)) await sendLong(req, res.status(status), body)
  else res.status(status).json(body)
}

async function sendLong(req: Request, res: Response, body: unknown): Promise<void> {
  const written: Buffer[] = []
  let length = 0
  let inARow = 0
  let gathered = ''
  const write = () => {
    const bytes = Buffer.from(gathered)
    gathered = ''
    written.push(bytes)
    length += bytes.length
  }
  for (const piece of jsonPieces(body)) {
    gathered += piece
    inARow += piece.length
    if (inARow < bytesInARow) continue
    write()
    inARow = 0
    await setImmediate()
  }
  write()
  res.type('json').set('Content-Length', String(length))
  if (req.method === 'HEAD') res.end()
  // Whoever hangs up meanwhile has no use for the rest.
  else await pipeline(Readable.from(written), res).catch(() => undefined)
}
