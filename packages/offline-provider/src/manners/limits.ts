import { createGzip } from 'node:zlib'
import { Readable } from 'node:stream'
import type { Json } from '../check.ts'
import type { Work } from '../work.ts'
import { withMessage } from './chunks.ts'
import { defineManners, type Manner, type Said } from './manner.ts'

const tooManyWords = 20_000
const wholeWords = 60_000
/** Unpacked; a thousandth of it goes over the wire. */
const bombBytes = 256 * 1024 * 1024
const pieceBytes = 64 * 1024

const unlimited = ({ max_completion_tokens: _new, max_tokens: _old, ...body }: Json): Json => body

/** Goes on after the answer for as long as anybody listens; each piece is billed, and so is each word of a whole answer. */
function endless(delta: Json, tokens: number): Pick<Manner, 'request' | 'whole' | 'stream'> {
  return {
    request: unlimited,
    whole: ({ usage: _untold, ...answer }, { line }) => {
      line.completionTokens += wholeWords
      return withMessage(answer, (message) => ({
        ...message,
        content: `${String(message['content'])}${' more'.repeat(wholeWords)}`
      }))
    },
    stream: (chunks, work) => goingOn(chunks, delta, tokens, work)
  }
}

async function* goingOn(chunks: AsyncIterable<Json>, delta: Json, tokens: number, work: Work): AsyncGenerator<Said> {
  let last: Json = {}
  for await (const chunk of chunks) {
    if (Array.isArray(chunk['choices']) && JSON.stringify(chunk['choices']).includes('"finish_reason":null'))
      yield (last = chunk)
  }
  for (;;) {
    await work.pace.wait(Math.max(1, tokens))
    work.line.completionTokens += tokens
    yield { ...last, choices: [{ index: 0, delta, finish_reason: null }] }
  }
}

/** Blanks around an answer that is none, packed so that little of it is sent. */
async function* bomb(): AsyncGenerator<Uint8Array> {
  const blanks = Buffer.alloc(pieceBytes, ' ')
  const plain = Readable.from(Array.from({ length: bombBytes / pieceBytes }, () => blanks))
  yield* plain.pipe(createGzip()) as AsyncIterable<Buffer>
}

/** What a server takes and sends beyond what it was asked for. */
export const limitManners = defineManners({
  'limit-ignored': {
    about: 'the limit of tokens is ignored, and twenty thousand are written',
    tells: true,
    request: unlimited,
    draft: ({ content, toolCalls }) => ({ content: `${content ?? ''}${' word'.repeat(tooManyWords)}`, toolCalls })
  },
  'endless-answer': { about: 'an answer that never ends', tells: false, ...endless({ content: ' more' }, 1) },
  'endless-thinking': {
    about: 'thoughts that never end',
    tells: false,
    ...endless({ content: null, reasoning_content: ' and on' }, 2)
  },
  'endless-nothing': { about: 'chunks without a word that never end', tells: false, ...endless({}, 0) },
  'packed-blanks': {
    about: '256 MiB of blanks, packed to a thousandth',
    tells: false,
    reply: (reply) => ({
      ...reply,
      headers: { ...reply.headers, 'content-type': 'application/json', 'content-encoding': 'gzip' },
      body: bomb()
    })
  }
})
