import type { Readable, Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import type { Request, Response } from 'express'
import { AppError } from '../../lib/errors/app-error.ts'
import { type Bytes, gatherBytes } from './gathered-bytes.ts'
import { sizeText } from './limits.ts'
import type { Pace } from './pace.ts'

/** A body in thousands of tiny pieces costs more than its bytes: from so many on, a piece has 64 bytes on average. */
const freePieces = 1_024
const meanPieceBytes = 64

/** Unpacked at a time; each is looked at before there are more. */
const chunkSize = 64 * 1024
/** A body is counted in the turns of the event loop from here on. */
const pacedBytes = 32 * 1024

const decoders: Record<string, () => Transform> = {
  gzip: () => createGunzip({ chunkSize }),
  'x-gzip': () => createGunzip({ chunkSize }),
  deflate: () => createInflate({ chunkSize }),
  br: () => createBrotliDecompress({ chunkSize })
}

export type ReadOptions = {
  /** largest body, unpacked; as it is sent it may not be larger either */
  limitBytes: number
  pace: Pace
  /** Looks at the next bytes, unpacked. What it throws ends the reading. */
  look?: (bytes: Uint8Array) => void
  /** Once there are more than so many bytes, the rest is read when `enter` has resolved. */
  large?: { bytes: number; enter: () => Promise<void> }
}

/**
 * Reads a body and unpacks it, counted while it comes in: nothing beyond a bound is ever held. What comes of it after
 * an error is left to `unread-rest.ts`.
 * @returns its bytes in pieces, none for an empty body
 * @throws AppError 413 over the limit; 415 for a content coding that is not known, or several; 400 for one that cannot
 *   be unpacked, that breaks off, or comes in too many pieces; and what `look` and `enter` throw
 */
export async function readBytes(req: Request, res: Response, options: ReadOptions): Promise<Bytes[]> {
  const { limitBytes } = options
  const coding = (req.headers['content-encoding'] ?? 'identity').trim().toLowerCase()
  const decoder = coding === 'identity' || coding === '' ? undefined : decoders[coding]?.()
  if (!decoder && coding !== 'identity' && coding !== '') {
    throw new AppError('unsupported_media_type', 'This content coding is not known: send gzip, br, deflate or none')
  }
  try {
    if (Number(req.headers['content-length'] ?? 0) > limitBytes) throw tooLarge(limitBytes)
    if (req.headers.expect?.toLowerCase() === '100-continue') res.writeContinue()
    const bytes = await collect(req, decoder, options)
    if (!req.readableEnded) req.resume() // what follows a packed body that has ended
    return bytes
  } catch (error) {
    // Nothing more is taken from the connection before it has been answered.
    req.socket.pause()
    res.once('finish', () => {
      if (!res.shouldKeepAlive) return
      req.socket.resume()
      req.resume()
    })
    throw error
  } finally {
    req.unpipe()
    decoder?.destroy()
  }
}

function collect(
  req: Request,
  decoder: Transform | undefined,
  { limitBytes, pace, look, large }: ReadOptions
): Promise<Bytes[]> {
  const body = gatherBytes()
  const source: Readable = decoder ?? req
  let sentBytes = 0
  let pieces = 0
  let mayBeLarge = large === undefined

  return new Promise((resolve, reject) => {
    function end(settle: () => void): void {
      req.off('data', count).off('close', brokenOff).off('error', brokenOff)
      source.off('data', take).off('end', finish)
      decoder?.off('error', garbled).on('error', () => undefined)
      settle()
    }
    const fail = (error: unknown) => end(() => reject(error as Error))
    const finish = () => end(() => resolve(body.pieces()))
    const brokenOff = () => {
      if (!req.complete) fail(new AppError('bad_request', 'The body broke off'))
    }
    const garbled = (cause: Error) => fail(new AppError('bad_request', 'The body cannot be unpacked', { cause }))

    function count(piece: Buffer): void {
      sentBytes += piece.length
      pieces++
      if (sentBytes > limitBytes) fail(tooLarge(limitBytes))
      else if (pieces > freePieces + sentBytes / meanPieceBytes) {
        req.socket.pause()
        req.res?.setHeader('Connection', 'close')
        fail(new AppError('bad_request', 'The body comes in too many pieces'))
      }
    }

    function take(bytes: Buffer<ArrayBuffer>): void {
      if (body.length + bytes.length > limitBytes) return fail(tooLarge(limitBytes))
      try {
        look?.(bytes)
      } catch (error) {
        return fail(error)
      }
      body.add(bytes)
      if (body.length < pacedBytes) return
      const isNowLarge = !mayBeLarge && large !== undefined && body.length > large.bytes
      if (isNowLarge) mayBeLarge = true
      const pause = isNowLarge ? large.enter() : pace.spend(bytes.length)
      if (!pause) return
      source.pause()
      pause.then(() => source.resume(), fail)
    }

    if (req.destroyed) return brokenOff()
    req.on('data', count).on('close', brokenOff).on('error', brokenOff)
    source.on('data', take).on('end', finish)
    decoder?.on('error', garbled)
    if (decoder) req.pipe(decoder)
  })
}

const tooLarge = (limitBytes: number): AppError =>
  new AppError('payload_too_large', `The body is larger than ${sizeText(limitBytes)}`)
