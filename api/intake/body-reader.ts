import type { AiAction } from '../../lib/actions/actions.ts'
import type { Request, Response } from 'express'
import { AppError, type FieldError } from '../../lib/errors/app-error.ts'
import { JsonText } from '../../lib/text/json-text.ts'
import { inputHash } from '../../lib/models/input-hash.ts'
import { TooComplex } from '../../lib/sharing/thread-pool.ts'
import { createTurns } from '../../lib/sharing/turns.ts'
import { type BodyAnswer, createBodyThreads } from './body-threads.ts'
import type { Bytes } from './gathered-bytes.ts'
import { createJsonBounds } from './json-bounds.ts'
import { type BodyLimits, inlineBytes, largeBodies } from './limits.ts'
import { createPace } from './pace.ts'
import { parseBody } from './parse-body.ts'
import { readBytes } from './read-bytes.ts'

/** What a body says. `value`: not checked yet, `undefined` for no body at all; `checked`: as the input of `checkAs`. */
export type BodyContent = { value: unknown } | { checked: { value: JsonText } | { errors: FieldError[] } }

/** A body that was read and parsed. */
export type Body = {
  content: BodyContent
  /** Key of the value: equal for equal values, however they are written. */
  hash(): string
  /** The body is not needed any more: its content goes, and another may have its place. May be called again. */
  release(): void
}

export type BodyOptions = {
  /** whose it is, for the turns: a user's id or an address */
  owner: string
  limits: BodyLimits
  /** what a large one is checked by where it is parsed; it comes out as `JsonText` then */
  checkAs?: AiAction | undefined
}

export type BodyReader = {
  /**
   * Reads and parses JSON, once it is known that the request may go on.
   * @throws AppError 400 for what is not JSON in UTF-8, 413 over the limit (unpacked), 415 for another media type or
   *   coding, 422 for what is nested too deep or holds too many values, 503 when too many large bodies are read
   */
  read(req: Request, res: Response, options: BodyOptions): Promise<Body>
  /** Ends the threads. */
  close(): Promise<void>
}

type Place = { enter(): Promise<void>; leave(): void }

/**
 * Reads the bodies of all routes. A body is bounded while it comes in. Small ones are parsed at once; larger ones take
 * one of a few places, in turn with everybody else's, and are parsed on a thread.
 */
export function createBodyReader(): BodyReader {
  const threads = createBodyThreads()
  const pace = createPace()
  const places = createTurns({
    name: 'large bodies',
    places: largeBodies.atOnce,
    placesOfOwner: largeBodies.ofOwner,
    waitingOfOwner: largeBodies.waitingOfOwner,
    longestWaitMs: largeBodies.longestWaitMs,
    longestTurnMs: largeBodies.longestMs
  })

  function placeOf(owner: string): Place {
    const left = Promise.withResolvers<void>()
    const gone = new AbortController()
    return {
      enter: () =>
        new Promise<void>((resolve, reject) => {
          const hold = () => {
            resolve()
            return left.promise
          }
          places.run(owner, hold, gone.signal).catch(reject)
        }),
      leave() {
        left.resolve()
        gone.abort()
      }
    }
  }

  async function parse(pieces: Bytes[], hash: boolean, { owner, checkAs }: BodyOptions) {
    if (lengthOf(pieces) <= inlineBytes) return parseBody(pieces)
    const answer: BodyAnswer = await threads
      .ask(owner, { pieces, checkAs, hash }, { transfer: pieces.map(({ buffer }) => buffer) })
      .catch((error: unknown) => {
        if (!(error instanceof TooComplex)) throw error
        throw new AppError('busy', 'Too many large bodies at once', { cause: error, headers: { 'Retry-After': '2' } })
      })
    return answer
  }

  return {
    async read(req, res, options) {
      if (!hasBody(req)) return bodyOf(nothing, () => undefined)
      if (!isJson(req)) {
        throw new AppError('unsupported_media_type', 'Send application/json', {
          headers: { Accept: 'application/json' }
        })
      }
      const { bytes: limitBytes, values: mostValues } = options.limits
      const beyond = createJsonBounds({ mostValues })
      const look = (piece: Uint8Array) => {
        const message = beyond(piece)
        if (message) throw new AppError('invalid', `The body ${message}`, { errors: [{ path: '', message }] })
      }
      const place = placeOf(options.owner)
      try {
        const large = { bytes: inlineBytes, enter: place.enter }
        const pieces = await readBytes(req, res, { limitBytes, pace, look, large })
        if (lengthOf(pieces) === 0) return bodyOf(nothing, place.leave)
        const parsed = await parse(pieces, req.headers['idempotency-key'] !== undefined, options)
        if ('problem' in parsed) throw new AppError('invalid_json', parsed.problem)
        return bodyOf(parsed, place.leave)
      } catch (error) {
        place.leave()
        throw error
      }
    },
    close: () => threads.close()
  }
}

function bodyOf(answer: Exclude<BodyAnswer, { problem: string }>, leave: () => void): Body {
  const known = 'hash' in answer ? answer.hash : undefined
  const body: Body = {
    content: contentOf(answer),
    hash: () => known ?? inputHash('value' in body.content ? body.content.value : undefined),
    release() {
      body.content = nothing
      leave()
    }
  }
  return body
}

const nothing = { value: undefined }

function contentOf(answer: Exclude<BodyAnswer, { problem: string }>): BodyContent {
  if ('errors' in answer) return { checked: answer }
  return 'json' in answer ? { checked: { value: new JsonText(answer.json) } } : { value: answer.value }
}

const lengthOf = (pieces: Bytes[]): number => pieces.reduce((sum, { length }) => sum + length, 0)

function hasBody(req: Request): boolean {
  const length = req.headers['content-length']
  return req.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
}

function isJson(req: Request): boolean {
  const [type = '', ...parameters] = (req.headers['content-type'] ?? '').split(';')
  if (!/^\s*application\/(json|[\w.+-]+\+json)\s*$/i.test(type)) return false
  return parameters.every((parameter) => !/^\s*charset=/i.test(parameter) || /=\s*"?utf-?8"?\s*$/i.test(parameter))
}
