import test from 'ava'
import { createRemembered } from '../../../lib/time/remembered.ts'

test('a value is remembered for so long after it was set, however often it is read', (t) => {
  let now = 0
  const remembered = createRemembered<string, number>({ forMs: 100, most: 10, now: () => now })
  remembered.set('a', 1)
  now = 60
  t.is(remembered.get('a'), 1)
  now = 99
  t.is(remembered.get('a'), 1)
  now = 100
  t.is(remembered.get('a'), undefined)
})

test('beyond the most the oldest goes, and one that was set again is new', (t) => {
  const remembered = createRemembered<string, number>({ forMs: 100, most: 2, now: () => 0 })
  remembered.set('a', 1)
  remembered.set('b', 2)
  remembered.set('a', 3)
  remembered.set('c', 4)
  t.deepEqual(
    ['a', 'b', 'c'].map((key) => remembered.get(key)),
    [3, undefined, 4]
  )
})

test('what was asked for before it was known is as old as the question', (t) => {
  let now = 0
  const remembered = createRemembered<string, number>({ forMs: 100, most: 10, now: () => now })
  const remember = remembered.begin()
  now = 60
  remember('a', 1)
  t.is(remembered.get('a'), 1)
  now = 100
  t.is(remembered.get('a'), undefined)
})

test('what is forgotten is not known any more', (t) => {
  const remembered = createRemembered<string, number>({ forMs: 100, most: 2, now: () => 0 })
  remembered.set('a', 1)
  remembered.set('b', 2)
  remembered.forgetWhere((value) => value === 1)
  t.is(remembered.get('a'), undefined)
  t.is(remembered.get('b'), 2)
})
