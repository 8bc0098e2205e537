import { setImmediate as nextTurn } from 'node:timers/promises'
import test from 'ava'
import { createAnswerFilter } from '../../../workers/agents/answer-filter.ts'
import { createAnswerStream } from '../../../workers/agents/answer-stream.ts'
import { sentencesOf } from '../../../workers/agents/sentences.ts'

test('a very long answer is finished while the process does other things', async (t) => {
  t.timeout(300_000)
  const stream = createAnswerStream({
    deltas: { append() {}, reset() {}, close: async () => {} },
    partial() {}
  })
  for (const piece of ['[a](http://a.example) ', 'It is so [1]. ', '`', '![a](b)']) {
    const draft = piece.repeat(Math.ceil(1_000_000 / piece.length))
    const begun = performance.now()
    let turns = 0
    let done = false
    const filter = createAnswerFilter({ citable: (n) => n === 1, linkable: () => false })
    const finished = stream
      .finish(draft, filter)
      .then(sentencesOf)
      .finally(() => {
        done = true
      })
    while (!done) {
      await nextTurn()
      turns += 1
    }
    t.true((await finished).length >= 0)
    // What is done at once keeps nobody waiting.
    t.true(turns > 5 || performance.now() - begun < 100, piece)
  }
})
