import { sentencesOf } from '../sentences.ts'
import type { ChatState, Limit, Node } from '../state.ts'
import { answerFilterOf } from './respond.ts'
import type { Run } from './run.ts'

/** Turns the draft into the answer: filtered, with the sources it cites and the sentences that cite none. */
export function finishNode(run: Run): Node {
  return async (state) => {
    const draft = state.draft.trim() === '' ? withoutAnswer(state) : state.draft
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

const reasons: Record<Limit, string> = {
  steps: 'the number of steps',
  tokens: 'the number of tokens',
  time: 'the time',
  cost: 'the cost'
}

/** What there is to say when the model said nothing: why, and what was found until then. */
function withoutAnswer({ limitReached, hits, staged }: ChatState): string {
  const why = limitReached
    ? `The limit on ${reasons[limitReached]} of this answer was reached before it could be written.`
    : 'The model gave no answer.'
  const nearest = hits.slice(0, 5).map(({ n, title }) => `- ${title.replace(/[[\]\n`<>!]/g, ' ')} [${n}]`)
  const sources = nearest.length > 0 ? [`These sources were found:\n\n${nearest.join('\n')}`] : []
  const saved = staged.length > 0 ? [`${staged.length} changes were made as asked.`] : []
  return [why, ...saved, ...sources].join('\n\n')
}
