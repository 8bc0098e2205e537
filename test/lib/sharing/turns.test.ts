import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import fc from 'fast-check'
import { AppError } from '../../../lib/errors/app-error.ts'
import { createTurns, TurnOverdue } from '../../../lib/sharing/turns.ts'

const options = { name: 'the test', longestTurnMs: 60_000 }

/** Work that ends when it is told to. */
function gatedWork() {
  const begun: string[] = []
  const ends: (() => void)[] = []
  return {
    begun,
    work: (label: string) => () =>
      new Promise<string>((resolve) => {
        begun.push(label)
        ends.push(() => resolve(label))
      }),
    async endNext() {
      ends.shift()?.()
      await delay(0)
    }
  }
}

test('owners who wait are served in turn, however much one of them asks for', async (t) => {
  const turns = createTurns({ ...options, places: 1 })
  const { begun, work, endNext } = gatedWork()
  const all = ['a1', 'a2', 'a3', 'b1', 'a4', 'c1', 'b2'].map((label) => turns.run(label.slice(0, 1), work(label)))
  for (let i = 0; i < all.length; i++) await endNext()
  t.deepEqual(await Promise.all(all), ['a1', 'a2', 'a3', 'b1', 'a4', 'c1', 'b2'])
  t.deepEqual(begun, ['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4'])
  t.deepEqual(turns.counts(), { running: 0, waiting: 0 })
})

test('an owner takes no more places than a share, so that a newcomer finds one free', async (t) => {
  const turns = createTurns({ ...options, places: 3, placesOfOwner: 2 })
  const { begun, work, endNext } = gatedWork()
  const all = ['a1', 'a2', 'a3', 'b1'].map((label) => turns.run(label.slice(0, 1), work(label)))
  await delay(0)
  t.deepEqual(begun, ['a1', 'a2', 'b1'])
  for (let i = 0; i < all.length; i++) await endNext()
  await Promise.all(all)
})

test('work that takes too long loses its place to who waits, and its signal says so', async (t) => {
  const turns = createTurns({ ...options, places: 1, longestTurnMs: 50 })
  let heard: unknown
  const late = turns.run('a', (signal) => {
    signal.addEventListener('abort', () => {
      heard = signal.reason
    })
    return new Promise(() => {})
  })
  const next = turns.run('b', async () => 'done')
  await t.throwsAsync(late, { instanceOf: TurnOverdue })
  t.true(heard instanceof TurnOverdue)
  t.is(await next, 'done')
})

test('too long a line and too long a wait are refused with 503 and Retry-After', async (t) => {
  const turns = createTurns({ ...options, places: 1, waitingOfOwner: 1, longestWaitMs: 50 })
  const { work, endNext } = gatedWork()
  const first = turns.run('a', work('a1'))
  const waiting = turns.run('a', work('a2'))
  for (const refused of [turns.run('a', work('a3')), waiting]) {
    const error = await t.throwsAsync(refused, { instanceOf: AppError })
    t.is((error as AppError).status, 503)
    t.regex((error as AppError).extras.headers?.['Retry-After'] ?? '', /^[1-9]\d*$/)
  }
  await endNext()
  t.is(await first, 'a1')
  t.deepEqual(turns.counts(), { running: 0, waiting: 0 })
})

test('who gives up leaves the line, and a turn under way ends with its signal', async (t) => {
  const turns = createTurns({ ...options, places: 1 })
  const first = new AbortController()
  const second = new AbortController()
  const running = turns.run('a', () => new Promise(() => {}), first.signal)
  const waiting = turns.run('b', async () => 'b', second.signal)
  second.abort(new Error('gave up'))
  await t.throwsAsync(waiting, { message: 'gave up' })
  t.deepEqual(turns.counts(), { running: 1, waiting: 0 })
  first.abort(new Error('stopped'))
  await t.throwsAsync(running, { message: 'stopped' })
  t.deepEqual(turns.counts(), { running: 0, waiting: 0 })
})

test('no more run than there are places, nobody is left waiting, and places come back after failures', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.record({ owner: fc.constantFrom('a', 'b', 'c'), fails: fc.boolean() }), { maxLength: 30 }),
      async (places, placesOfOwner, requests) => {
        const turns = createTurns({ ...options, places, placesOfOwner })
        const runningOf = new Map<string, number>()
        let running = 0
        const ends = await Promise.allSettled(
          requests.map(({ owner, fails }) =>
            turns.run(owner, async () => {
              running++
              runningOf.set(owner, (runningOf.get(owner) ?? 0) + 1)
              if (running > places || (runningOf.get(owner) ?? 0) > placesOfOwner) throw new Error('too many')
              await Promise.resolve()
              running--
              runningOf.set(owner, (runningOf.get(owner) ?? 0) - 1)
              if (fails) throw new Error('failed')
            })
          )
        )
        t.deepEqual(
          ends.map((end) => (end.status === 'rejected' ? (end.reason as Error).message : '')),
          requests.map(({ fails }) => (fails ? 'failed' : ''))
        )
        t.deepEqual(turns.counts(), { running: 0, waiting: 0 })
      }
    )
  )
})

test('whoever was late last yields to the others who wait, until a turn of theirs is in time', async (t) => {
  const turns = createTurns({ ...options, places: 1, lateYield: true })
  const { begun, work, endNext } = gatedWork()
  await t.throwsAsync(
    turns.run('a', () => new Promise(() => {}), undefined, 20),
    { instanceOf: TurnOverdue }
  )
  const all = ['a1', 'a2', 'b1', 'c1'].map((label) => turns.run(label.slice(0, 1), work(label)))
  for (let i = 0; i < all.length; i++) await endNext()
  await Promise.all(all)
  // a1 found the place free and was in time: all is as before
  t.deepEqual(begun, ['a1', 'a2', 'b1', 'c1'])

  const last = turns.run('d', work('d'))
  const late = turns.run('a', () => new Promise(() => {}), undefined, 20)
  await endNext()
  await t.throwsAsync(late, { instanceOf: TurnOverdue })
  const holder = turns.run('d', work('d'))
  const rest = ['a3', 'b2', 'c2'].map((label) => turns.run(label.slice(0, 1), work(label)))
  begun.length = 0
  for (let i = 0; i < 4; i++) await endNext()
  await Promise.all([last, holder, ...rest])
  t.deepEqual(begun, ['b2', 'c2', 'a3'])
})
