import { asksForChanges } from '@goals/text'
import { withoutClaims } from '../claims.ts'
import { languageOf } from '../language.ts'
import { nothingSaved } from '../report.ts'
import { sentencesOf } from '../sentences.ts'
import type { ChatState, Limit, Node } from '../state.ts'
import { answerFilterOf } from './respond.ts'
import type { Run } from './run.ts'

/** Turns the draft into the answer: filtered, with the sources it cites and the sentences that cite none. */
export function finishNode(run: Run): Node {
  return async (state) => {
    const draft = answerOf(run, state)
    const content = await run.stream.finish(draft, answerFilterOf(run, state), run.signal)
    const sentences = await sentencesOf(content, run.signal)
    const used = new Set(sentences.flatMap(({ citations }) => citations))
    return {
      answer: {
        message: { role: 'assistant', content },
        citations: state.hits
          .filter(({ n }) => used.has(n))
          .map(({ n, sourceType, sourceId, title, score }) => ({ n, sourceType, sourceId, title, score })),
        unsupported: sentences.filter(({ citations }) => citations.length === 0).map(({ text }) => text)
      }
    }
  }
}

/**
 * What was saved is told by the platform, first, and not by the model, which would say "Done" to anything. Where nothing
 * was asked to be saved, the model's answer is followed by a word on it when the message or the answer sounds as if it was.
 */
function answerOf({ input }: Run, state: ChatState): string {
  const { report, limitReached, draft } = state
  if (report) {
    const limit = limitReached && draft.trim() === '' ? limitLine(limitReached) : ''
    return [report, withoutClaims(draft), limit].filter(Boolean).join('\n\n')
  }
  const answer = draft.trim() === '' ? withoutAnswer(state) : draft
  const soundsSaved = asksForChanges(input.message) || (input.allowWrites && withoutClaims(draft) !== draft.trim())
  return soundsSaved ? `${answer}\n\n${nothingSaved(languageOf(input.message), input.allowWrites)}` : answer
}

const limitLine = (limit: Limit) =>
  `The limit on ${reasons[limit]} of this answer was reached before it could be written.`

const reasons: Record<Limit, string> = {
  steps: 'the number of steps',
  tokens: 'the number of tokens',
  time: 'the time',
  cost: 'the cost'
}

/** What there is to say when the model said nothing: why, and what was found until then. */
function withoutAnswer({ limitReached, hits }: ChatState): string {
  const why = limitReached ? limitLine(limitReached) : 'The model gave no answer.'
  const nearest = hits.slice(0, 5).map(({ n, title }) => `- ${title.replace(/[[\]\n`<>!]/g, ' ')} [${n}]`)
  const sources = nearest.length > 0 ? [`These sources were found:\n\n${nearest.join('\n')}`] : []
  return [why, ...sources].join('\n\n')
}
