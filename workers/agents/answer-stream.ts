import type { DeltaWriter } from '../../lib/events/delta-writer.ts'
import { inTurns } from '../../lib/sharing/in-turns.ts'
import { type AnswerFilter, filtering } from './answer-filter.ts'

export type AnswerStream = ReturnType<typeof createAnswerStream>

/**
 * Shows an answer while it is written. What was shown since the last reset is always the beginning of one answer, and
 * in the end the whole of it.
 * @param partial is told what is shown, for a run that is cancelled
 */
export function createAnswerStream({ deltas, partial }: { deltas: DeltaWriter; partial: (text: string) => void }) {
  let shown = ''

  function show(text: string): void {
    if (text === '') return
    shown += text
    deltas.append(text)
    partial(shown)
  }

  function reset(): void {
    if (shown === '') return
    shown = ''
    deltas.reset()
    partial('')
  }

  return {
    /** Begins an answer: what was shown before is no part of it. */
    begin(filter: AnswerFilter): { push: (piece: string) => void; text: () => string } {
      reset()
      let raw = ''
      return {
        push(piece) {
          raw += piece
          show(filter.push(piece))
        },
        /** as it came, unfiltered */
        text: () => raw
      }
    },

    /** The answer turned out not to be one: a call of tools, for example. */
    reset,

    /** Shows an answer that had been finished before. */
    repeat(answer: string): void {
      reset()
      show(answer)
    },

    /**
     * Makes what is shown the final answer. However long it is, others get their turn meanwhile.
     * @returns it
     */
    async finish(draft: string, filter: AnswerFilter, signal?: AbortSignal): Promise<string> {
      const final = await inTurns(filtering(draft, filter), signal)
      if (final.startsWith(shown)) show(final.slice(shown.length))
      else {
        reset()
        show(final)
      }
      return final
    }
  }
}
