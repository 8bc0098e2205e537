import { setImmediate as nextTurn } from 'node:timers/promises'
import test from 'ava'
import { createAnswerFilter } from '../../../workers/agents/answer-filter.ts'
import { createAnswerStream } from '../../../workers/agents/answer-stream.ts'
import { sentencesOf } from '../../../workers/agents/sentences.ts'

const stream = createAnswerStream({
  deltas: { append() {}, reset() {}, close: async () => {} },
  partial() {}
})

/** Milliseconds this thread has computed: time in which it was kept waiting by others on its machine is not counted. */
function computedMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

/** @returns what finishing an answer of a million characters took, and the longest time in which nobody else had a turn */
async function finish(piece: string): Promise<{ longestMs: number; allMs: number }> {
  const draft = piece.repeat(Math.ceil(1_000_000 / piece.length))
  const filter = createAnswerFilter({ citable: (n) => n === 1, linkable: () => false })
  let done = false
  const finished = stream
    .finish(draft, filter)
    .then(sentencesOf)
    .finally(() => {
      done = true
    })
  const began = computedMs()
  let [last, longestMs] = [began, 0]
  while (!done) {
    await nextTurn()
    const now = computedMs()
    longestMs = Math.max(longestMs, now - last)
    last = now
  }
  await finished
  return { longestMs, allMs: last - began }
}

for (const piece of ['[a](http://a.example) ', 'It is so [1]. ', '`', '![a](b)']) {
  test(`a very long answer is finished while the process does other things: ${piece}`, async (t) => {
    t.timeout(300_000)
    const tries: string[] = []
    // A collection of garbage or a compilation may fall into one turn; work that holds up the others does so each time.
    for (let n = 0; n < 5; n++) {
      const { longestMs, allMs } = await finish(piece)
      // What is done at once keeps nobody waiting.
      if (longestMs < 100 || longestMs < allMs / 2) return t.pass()
      tries.push(`${longestMs.toFixed()} of ${allMs.toFixed()} ms at a stretch`)
    }
    t.fail(tries.join(', '))
  })
}
