import test from 'ava'
import { createLargeCommits } from '../../workers/large-commits.ts'

const settled = () => new Promise((resolve) => setImmediate(resolve))

test('large effects are committed one at a time, owner by owner, and small ones at once', async (t) => {
  const commitInTurn = createLargeCommits()
  const { signal } = new AbortController()
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  const commit = (name: string) => () => {
    begun.push(name)
    return new Promise<string>((resolve) => ends.set(name, () => resolve(name)))
  }
  const large = ['a1', 'a2', 'a3', 'b1'].map((name) => commitInTurn(name.charAt(0), true, signal, commit(name)))
  t.is(await commitInTurn('c', false, signal, async () => 'small'), 'small')
  for (let n = 0; n < 4; n++) {
    await settled()
    t.is(begun.length, n + 1, 'one at a time')
    ends.get(begun.at(-1) as string)?.()
  }
  t.deepEqual(await Promise.all(large), ['a1', 'a2', 'a3', 'b1'])
  t.deepEqual(begun, ['a1', 'a2', 'b1', 'a3'])
})

test('one that is cancelled while it waits never begins; one that has begun is told as it ends', async (t) => {
  const commitInTurn = createLargeCommits()
  const first = Promise.withResolvers<string>()
  const running = new AbortController()
  const waiting = new AbortController()
  const committing = commitInTurn('a', true, running.signal, () => first.promise)
  const never = commitInTurn('a', true, waiting.signal, async () => t.fail('it has begun'))
  waiting.abort(new Error('cancelled'))
  await t.throwsAsync(never, { message: 'cancelled' })
  running.abort(new Error('too late'))
  first.resolve('committed')
  t.is(await committing, 'committed')
})
