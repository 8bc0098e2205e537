import { DONE } from '../chat-wire.ts'
import type { Json } from '../check.ts'
import { wholeBody } from '../transport.ts'
import { choiceOf, eachChunk, everyMessage, withChoice } from './chunks.ts'
import { defineManners, type Manner } from './manner.ts'

const annotation = { index: 0, finish_reason: null, content_filter_offsets: { check_offset: 44 } }

/** The stream as text, written in another way. */
const writtenAs = (write: (text: string) => string): Pick<Manner, 'stream'> => ({
  async *stream(chunks) {
    for await (const chunk of chunks) yield write(`data: ${JSON.stringify(chunk)}\n\n`)
    yield write(DONE)
  }
})

const withoutFinish = (choice: Json): Json => ({ ...choice, finish_reason: null })
const page = '<!doctype html>\n<title>Sign in</title>\n<p>Your session has ended.</p>\n'

/** How chunks and bodies are put together, where their words are the usual ones. */
export const shapeManners = defineManners({
  'json-for-stream': {
    about: 'a whole answer where a stream was asked for',
    tells: true,
    request: ({ stream: _stream, stream_options: _options, ...body }) => body
  },
  'choice-without-delta': {
    about: 'choices without `delta`, that annotate',
    tells: true,
    stream: eachChunk((chunk) => (choiceOf(chunk) ? [{ ...chunk, choices: [annotation] }, chunk] : chunk))
  },
  'delta-null': {
    about: '`delta: null`',
    tells: true,
    stream: eachChunk((chunk) =>
      choiceOf(chunk) ? [chunk, withChoice(chunk, (choice) => ({ ...withoutFinish(choice), delta: null }))] : chunk
    )
  },
  'message-for-delta': {
    about: '`message` in place of `delta`',
    tells: true,
    stream: eachChunk((chunk) => withChoice(chunk, ({ delta, ...choice }) => ({ ...choice, message: delta })))
  },
  'content-parts': {
    about: 'content as a list of parts',
    tells: true,
    ...everyMessage((message) =>
      typeof message['content'] === 'string'
        ? { ...message, content: [{ type: 'text', text: message['content'] }] }
        : message
    )
  },
  'no-finish-reason': {
    about: 'no finish reason, but usage and `[DONE]`',
    tells: true,
    whole: (answer) => withChoice(answer, withoutFinish),
    stream: eachChunk((chunk) => withChoice(chunk, withoutFinish))
  },
  'no-done': {
    about: 'no `[DONE]`',
    tells: true,
    async *stream(chunks) {
      yield* chunks
    }
  },
  'empty-events': {
    about: 'empty events, comments and `data:` without anything',
    tells: true,
    ...writtenAs((event) => `: PROCESSING\n\ndata:\n\ndata: \n\nevent: ping\ndata: {}\n\n${event}`)
  },
  'single-line-feeds': {
    about: 'one line feed between events',
    tells: true,
    ...writtenAs((event) => event.slice(0, -1))
  },
  'carriage-returns': {
    about: 'lines that end with CR LF',
    tells: true,
    ...writtenAs((event) => event.replaceAll('\n', '\r\n'))
  },
  'lines-of-json': {
    about: 'lines of JSON instead of events',
    tells: true,
    ...writtenAs((event) => (event === DONE ? '' : event.slice('data: '.length, -1)))
  },
  page: {
    about: 'a page with status 200',
    tells: false,
    reply: (reply, { line }) => {
      line.completionTokens = 0
      return { ...reply, headers: { ...reply.headers, 'content-type': 'text/html' }, body: wholeBody(page) }
    }
  },
  'no-choice': {
    about: 'an answer without a choice',
    tells: true,
    whole: (answer) => ({ ...answer, choices: [] }),
    stream: eachChunk((chunk) => ({ ...chunk, choices: [] }))
  }
})
