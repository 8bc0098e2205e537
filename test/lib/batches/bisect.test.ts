import test from 'ava'
import { createBisect } from '../../../lib/batches/bisect.ts'
import { splitBatch } from '../../../lib/batches/split.ts'

const refusedRow = () => Object.assign(new Error('refused'), { code: '23514' })
const away = () => Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)

/** A store that refuses some numbers, and everything that stands beside them. */
function stage({ fails, patienceMs = 60_000 }: { fails: (n: number) => Error | undefined; patienceMs?: number }) {
  const clock = { now: 0 }
  const aside: number[] = []
  const stored: number[] = []
  const counts = { attempts: 0 }
  const bisect = createBisect<number>({
    async setAside(member) {
      aside.push(member)
    },
    patienceMs,
    now: () => clock.now
  })
  const run = (members: number[]) =>
    bisect(members, async (part) => {
      counts.attempts++
      for (const n of part) {
        const error = fails(n)
        if (error) throw error
      }
      stored.push(...part)
      return undefined
    })
  return { run, aside, stored, counts, clock }
}

test('one bad member among many is put aside, and the others are done in order, in few attempts', async (t) => {
  const { run, aside, stored, counts } = stage({ fails: (n) => (n === 77 ? refusedRow() : undefined) })
  const end = await run(numbers(200))
  t.deepEqual(aside, [77])
  t.deepEqual(
    stored,
    numbers(200).filter((n) => n !== 77)
  )
  t.is(end.error, undefined)
  t.is(end.done.size, 199)
  t.true(counts.attempts <= 2 * 8 + 1, `${counts.attempts} attempts`)
})

test('an outage puts nothing aside, and what was done before it need not be done again', async (t) => {
  let calls = 0
  const { run, aside, counts } = stage({
    fails: (n) => (n === 3 ? refusedRow() : n === 7 && calls++ >= 0 ? away() : undefined)
  })
  const end = await run(numbers(8))
  t.deepEqual([...end.done], [0, 1, 2])
  t.deepEqual(aside, [3])
  t.is((end.error as NodeJS.ErrnoException).code, 'ECONNREFUSED')
  t.true(counts.attempts < 16)
})

test('while nothing at all works nothing is put aside, until that has lasted', async (t) => {
  const { run, aside, counts, clock } = stage({ fails: () => new Error('who knows'), patienceMs: 1_000 })
  const first = await run(numbers(64))
  t.is((first.error as Error).message, 'who knows')
  t.deepEqual(aside, [])
  t.true(counts.attempts <= 6 + 4, `${counts.attempts} attempts`)
  clock.now = 999
  await run(numbers(64))
  t.deepEqual(aside, [])
  clock.now = 1_001
  const last = await run(numbers(64))
  t.is(last.error, undefined)
  t.is(aside.length, 64)
  // A member that comes soon after is not waited for again.
  clock.now = 2_000
  await run([64])
  t.is(aside.length, 65)
})

test('a failure that may be anybody’s is a member’s own as soon as others work', async (t) => {
  const { run, aside } = stage({ fails: (n) => (n < 2 ? new Error('who knows') : undefined) })
  t.is((await run([0])).error instanceof Error, true)
  t.deepEqual(aside, [])
  t.is((await run([0, 1, 2, 3])).error, undefined)
  t.deepEqual(aside, [0, 1])
})

test('a failure that is about the row is its own, also when every row is refused', async (t) => {
  const { run, aside } = stage({ fails: refusedRow })
  const { error, aside: named } = await run(numbers(8))
  t.is(error, undefined)
  t.is(named.size, 8)
  t.deepEqual(aside, numbers(8))
})

test('what was refused by itself is put aside without asking the others again', async (t) => {
  const aside: string[] = []
  let attempts = 0
  const bisect = createBisect<string>({
    async setAside(member) {
      aside.push(member)
    }
  })
  const end = await bisect(['a', 'b', 'c'], async () => {
    attempts++
    return [{ member: 'b', error: new Error('not this one') }]
  })
  t.deepEqual([attempts, aside, [...end.done]], [1, ['b'], ['a', 'c']])
})

test('a member that cannot be put aside is left, to be given again', async (t) => {
  const bisect = createBisect<number>({
    async setAside() {
      throw away()
    }
  })
  const end = await bisect([1, 2], async (part) => {
    if (part.includes(1)) throw refusedRow()
    return undefined
  })
  t.deepEqual([...end.done], [2])
  t.is(end.aside.size, 0)
  t.is((end.error as NodeJS.ErrnoException).code, 'ECONNREFUSED')
})

test('a batch is cut by members and by bytes, and one that is too large stands alone', (t) => {
  const parts = splitBatch([3, 3, 3, 20, 1, 1, 1, 1], { rows: 3, bytes: 8, bytesOf: (size) => size })
  t.deepEqual(parts, [[3, 3], [3], [20], [1, 1, 1], [1]])
  t.deepEqual(splitBatch([], { rows: 3, bytes: 8, bytesOf: () => 1 }), [])
})
