import { AsyncLocalStorage } from 'node:async_hooks'
import test from 'ava'
import fc from 'fast-check'
import { createCombined } from '../../../lib/batches/combine.ts'

const values = <T>(members: T[]) => members.map((value) => ({ value }))

test('members that come in one turn are one batch, and each gets its own result', async (t) => {
  const batches: number[][] = []
  const square = createCombined<number, number>({
    lanes: 1,
    rows: 100,
    run: async (members) => {
      batches.push(members)
      return members.map((n) => (n === 3 ? { error: new Error('three') } : { value: n * n }))
    }
  })
  const results = await Promise.allSettled([1, 2, 3, 4].map(square))
  t.deepEqual(batches, [[1, 2, 3, 4]])
  t.deepEqual(
    results.map((result) => (result.status === 'fulfilled' ? result.value : (result.reason as Error).message)),
    [1, 4, 'three', 16]
  )
})

test('members that come while a batch is under way form the next, of so many rows and bytes at most', async (t) => {
  const batches: string[][] = []
  const gates: (() => void)[] = []
  const echo = createCombined<string, string>({
    lanes: 1,
    rows: 3,
    bytes: 10,
    bytesOf: (text) => text.length,
    run: async (members) => {
      batches.push(members)
      await new Promise<void>((resolve) => gates.push(resolve))
      return values(members)
    }
  })
  const done = Promise.all(['first', 'a', 'b', 'c', 'd', 'a very long member', '12345', '67890', 'x'].map(echo))
  const expected = [['first', 'a', 'b'], ['c', 'd'], ['a very long member'], ['12345', '67890'], ['x']]
  for (const [index] of expected.entries()) {
    while (gates.length === index) await new Promise((resolve) => setImmediate(resolve))
    gates[index]?.()
  }
  await done
  t.deepEqual(batches, expected)
})

test('so many batches are under way at most', async (t) => {
  let now = 0
  let most = 0
  const work = createCombined<number, number>({
    lanes: 2,
    rows: 2,
    run: async (members) => {
      now += 1
      most = Math.max(most, now)
      await new Promise((resolve) => setImmediate(resolve))
      now -= 1
      return values(members)
    }
  })
  t.deepEqual(await Promise.all(Array.from({ length: 20 }, (_, n) => work(n))), [...Array(20).keys()])
  t.is(most, 2)
})

test('whatever members fail a batch, the others are done once and in order, and each failure is its own', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.boolean(), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 3 }),
      async (bad, rows, lanes) => {
        const done: number[] = []
        const work = createCombined<number, number>({
          lanes,
          rows,
          run: async (members) => {
            await new Promise((resolve) => setImmediate(resolve))
            for (const member of members) if (bad[member]) throw new Error(`poison ${member}`)
            done.push(...members)
            return values(members)
          }
        })
        const results = await Promise.allSettled(bad.map((_, index) => work(index)))
        t.deepEqual(
          results.map(({ status }) => status === 'rejected'),
          bad
        )
        for (const [index, result] of results.entries()) {
          // Halves end at the member itself, so the error is about nobody else.
          if (result.status === 'rejected') t.is((result.reason as Error).message, `poison ${index}`)
        }
        t.deepEqual(
          done.toSorted((a, b) => a - b),
          bad.flatMap((isBad, index) => (isBad ? [] : [index]))
        )
      }
    )
  )
})

test('while a service is away a batch fails whole: it is not tried member by member', async (t) => {
  let calls = 0
  const work = createCombined<number, number>({
    lanes: 1,
    rows: 10,
    run: () => {
      calls += 1
      return Promise.reject(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }))
    }
  })
  const results = await Promise.allSettled([1, 2, 3].map(work))
  t.true(results.every(({ status }) => status === 'rejected'))
  t.is(calls, 1)
})

test('a batch that lost a race in the database is done in halves, not failed whole', async (t) => {
  let calls = 0
  const work = createCombined<number, number>({
    lanes: 1,
    rows: 10,
    run: async (members) => {
      calls += 1
      if (calls === 1) throw Object.assign(new Error('deadlock detected'), { code: '40P01' })
      return values(members)
    }
  })
  t.deepEqual(await Promise.all([1, 2, 3].map(work)), [1, 2, 3])
  t.is(calls, 3)
})

test('without halves a batch that fails fails whole, and nothing is done twice', async (t) => {
  let calls = 0
  const work = createCombined<number, number>({
    lanes: 1,
    rows: 10,
    halves: false,
    run: async () => {
      calls += 1
      throw new Error('half done')
    }
  })
  const results = await Promise.allSettled([1, 2, 3].map(work))
  t.true(results.every(({ status }) => status === 'rejected'))
  t.is(calls, 1)
})

test('a batch runs for nobody in particular', async (t) => {
  const storage = new AsyncLocalStorage<string>()
  const work = createCombined<number, string | undefined>({
    lanes: 1,
    rows: 10,
    run: async (members) => members.map(() => ({ value: storage.getStore() }))
  })
  t.deepEqual(await storage.run('ada', () => Promise.all([work(1), work(2)])), [undefined, undefined])
})
