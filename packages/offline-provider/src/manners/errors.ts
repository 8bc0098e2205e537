import type { Work } from '../work.ts'
import { choiceOf, eachChunk, withChoice } from './chunks.ts'
import { defineManners, type Manner } from './manner.ts'

/** Nothing is charged for an error in the place of an answer. */
function free({ line }: Work): void {
  Object.assign(line, { promptTokens: 0, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 })
}

const piecesBefore = 3

function insteadOfAnswer(error: Record<string, unknown>): Pick<Manner, 'whole' | 'stream'> {
  return {
    whole: (_answer, work) => {
      free(work)
      return { error }
    },
    async *stream(_chunks, work) {
      free(work)
      yield { error }
    }
  }
}

/** Errors that come with status 200. */
export const errorManners = defineManners({
  'error-401-in-body': {
    about: 'an error 401 with status 200',
    tells: true,
    ...insteadOfAnswer({ code: 401, message: 'No auth credentials found' })
  },
  'error-429-in-body': {
    about: 'an error 429 with status 200',
    tells: true,
    ...insteadOfAnswer({ code: 429, message: 'Rate limit exceeded' })
  },
  'error-in-stream': {
    about: 'an error in the middle of a stream',
    tells: false,
    whole: (_answer, work) => {
      free(work)
      return { error: { code: 502, message: 'Upstream failed' } }
    },
    async *stream(chunks) {
      let pieces = 0
      for await (const chunk of chunks) {
        yield chunk
        pieces += 1
        if (pieces > piecesBefore) return yield { error: { code: 502, message: 'Upstream failed' } }
      }
    }
  },
  'finish-error': {
    about: '`finish_reason: "error"` behind half an answer',
    tells: true,
    whole: (answer) => withChoice(answer, (choice) => ({ ...choice, finish_reason: 'error' })),
    stream: eachChunk((chunk) =>
      choiceOf(chunk)?.['finish_reason']
        ? withChoice(chunk, (choice) => ({ ...choice, finish_reason: 'error' }))
        : chunk
    )
  }
})
