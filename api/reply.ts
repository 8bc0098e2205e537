import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate } from 'node:timers/promises'
import type { Request, Response } from 'express'
import { namesEtag } from '../lib/etag.ts'
import type { Reply } from './endpoint.ts'
import { isLong, jsonPieces } from './json-pieces.ts'

/** Others have their turn when so much of a long answer has been written as JSON. */
const bytesInARow = 256 * 1024

const jsonType = 'application/json; charset=utf-8'

/** Sends a handler's reply. A read whose entity tag the client names already is answered 304 (RFC 9110, 13.1.2). */
export async function sendReply(req: Request, res: Response, reply: Reply): Promise<void> {
  if (reply === 'streamed') return
  const { status, body, json, headers = {} } = reply
  if (!res.hasHeader('Cache-Control')) res.setHeader('Cache-Control', 'private, no-cache')
  for (const name in headers) res.setHeader(name, headers[name] as string)
  res.statusCode = status
  const isRead = req.method === 'GET' || req.method === 'HEAD'
  if (isRead && status === 200 && isKnown(req, headers.ETag)) {
    res.statusCode = 304
    res.end()
  } else if (body === undefined) res.end()
  else if (json === undefined && isLong(body)) await sendLong(req, res, body)
  else sendShort(req, res, json ?? JSON.stringify(body))
}

/** Whether the client has what would be sent. `*` is whatever there is, with a tag or without. */
function isKnown(req: Request, etag: string | undefined): boolean {
  const seen = req.headers['if-none-match']
  if (seen === undefined) return false
  return etag === undefined ? seen.trim() === '*' : namesEtag(seen, etag, { weak: true })
}

function sendShort(req: Request, res: Response, json: string): void {
  res.setHeader('Content-Type', jsonType)
  res.setHeader('Content-Length', Buffer.byteLength(json))
  if (req.method === 'HEAD') res.end()
  else res.end(json)
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
  res.setHeader('Content-Type', jsonType)
  res.setHeader('Content-Length', length)
  if (req.method === 'HEAD') res.end()
  // Whoever hangs up meanwhile has no use for the rest.
  else await pipeline(Readable.from(written), res).catch(() => undefined)
}
