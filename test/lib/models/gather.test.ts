import test from 'ava'
import fc from 'fast-check'
import { type Gathered, gather } from '../../../lib/models/gather.ts'

const call = (owner: string, tokens: number, inputs = 1): Gathered => ({ owner, inputs, tokens })

const anyCall = fc.record({
  owner: fc.constantFrom('A', 'B', 'C'),
  inputs: fc.integer({ min: 1, max: 2_048 }),
  tokens: fc.integer({ min: 1, max: 300_000 })
})

test('every call goes with one request, and none asks for more than the provider takes', (t) => {
  fc.assert(
    fc.property(fc.array(anyCall, { maxLength: 60 }), (calls) => {
      const requests = gather(calls)
      const sent = requests.flatMap((request) => request.calls)
      t.is(sent.length, calls.length)
      t.is(new Set(sent).size, calls.length)
      for (const request of requests) {
        t.true(request.calls.length > 0)
        t.true(request.calls.reduce((sum, { inputs }) => sum + inputs, 0) <= 2_048)
        t.true(request.calls.reduce((sum, { tokens }) => sum + tokens, 0) <= 300_000)
        if (request.owner) t.true(request.calls.every(({ owner }) => owner === request.owner))
      }
    })
  )
})

test("a small call never shares a request with somebody's large one", (t) => {
  const huge = Array.from({ length: 100 }, () => call('A', 90_000))
  const small = call('B', 12)
  const requests = gather([...huge, small])
  t.deepEqual(requests[0], { calls: [small] })
  t.is(requests.length, 1 + 50)
})

test("everybody's first call goes with the first request, however many one of them has", (t) => {
  const many = Array.from({ length: 100 }, () => call('A', 30_000))
  const [b, c] = [call('B', 10_000), call('C', 20)]
  const [first, ...others] = gather([...many, b, c])
  t.true(first?.calls.includes(b) && first.calls.includes(c))
  t.is(others.flatMap(({ calls }) => calls).length, 102 - (first?.calls.length ?? 0))
})
