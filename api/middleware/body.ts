import { isUtf8 } from 'node:buffer'
import express, { type Request, type Response } from 'express'
import { AppError } from '../../lib/errors.ts'

const mib = 1024 * 1024

/** Largest body of a route that names no other. */
const defaultBodyLimitBytes = mib

/**
 * Reads a JSON body, once it is known that the request may go on.
 * @returns the parsed value, or `undefined` when there is no body at all
 * @throws AppError 400 for what is not JSON in UTF-8, 413 over the limit (unpacked), 415 for another media type or coding
 */
export async function readJson(req: Request, res: Response, limitBytes = defaultBodyLimitBytes): Promise<unknown> {
  if (!hasBody(req)) return undefined
  if (!isJson(req)) {
    throw new AppError('unsupported_media_type', 'Send application/json', { headers: { Accept: 'application/json' } })
  }
  const bytes = await readBytes(req, res, limitBytes)
  if (bytes.length === 0) return undefined
  // The decoder would silently put a replacement character for what is not UTF-8 (RFC 8259, 8.1 allows nothing else).
  if (!isUtf8(bytes)) throw new AppError('invalid_json', 'The body is not UTF-8')
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown
  } catch (cause) {
    throw new AppError('invalid_json', 'The body cannot be parsed', { cause })
  }
}

/** The bytes of a body, unpacked. @throws AppError 400, 413 or 415 */
export async function readBytes(req: Request, res: Response, limitBytes: number): Promise<Buffer> {
  if (req.headers.expect?.toLowerCase() === '100-continue') res.writeContinue()
  const read = express.raw({ type: () => true, limit: limitBytes })
  await new Promise<void>((resolve, reject) => {
    read(req, res, (error?: unknown) => (error ? reject(bodyError(error, limitBytes)) : resolve()))
  })
  return Buffer.isBuffer(req.body) ? req.body : Buffer.alloc(0)
}

function hasBody(req: Request): boolean {
  const length = req.headers['content-length']
  return req.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
}

function isJson(req: Request): boolean {
  const [type = '', ...parameters] = (req.headers['content-type'] ?? '').split(';')
  if (!/^\s*application\/(json|[\w.+-]+\+json)\s*$/i.test(type)) return false
  return parameters.every((parameter) => !/^\s*charset=/i.test(parameter) || /=\s*"?utf-?8"?\s*$/i.test(parameter))
}

/** Errors of body-parser, by the `type` its README lists. */
function bodyError(error: unknown, limitBytes: number): unknown {
  const { type, status } = error as { type?: string; status?: number }
  if (type === 'entity.too.large') {
    return new AppError(
      'payload_too_large',
      `The body is larger than ${limitBytes >= mib ? `${limitBytes / mib} MiB` : `${limitBytes / 1024} KiB`}`,
      { cause: error }
    )
  }
  if (type === 'encoding.unsupported') {
    return new AppError('unsupported_media_type', 'This content coding is not known: send gzip, br, deflate or none', {
      cause: error
    })
  }
  if (status !== undefined && status < 500)
    return new AppError('bad_request', 'The body cannot be read', { cause: error })
  return error
}
