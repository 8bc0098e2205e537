import test from 'ava'
import { validate, version } from 'uuid'
import { newId, timeOf } from '../../lib/ids.ts'

test('ids are UUIDs of version 7 that rise, also within a millisecond', (t) => {
  const ids = Array.from({ length: 10_000 }, newId)
  t.true(ids.every((id) => validate(id) && version(id) === 7))
  t.deepEqual(ids.toSorted(), ids)
  t.is(new Set(ids).size, ids.length)
})

test('an id tells when it was made', (t) => {
  const before = Date.now()
  const made = timeOf(newId()).getTime()
  // Ids are counted on when their clock has gone back, never by more than it has.
  t.true(made >= before && made <= Date.now() + 1)
})

test('what follows the counter is random in every id, so that one tells nothing of the next', (t) => {
  const ends = Array.from({ length: 2_000 }, () => newId().slice(-10))
  t.is(new Set(ends).size, ends.length)
  // Each of the last bits is set about as often as not: 1,000 of 2,000, give or take nine standard deviations.
  for (let bit = 0; bit < 40; bit++) {
    const set = ends.filter((end) => (BigInt(`0x${end}`) >> BigInt(bit)) & 1n).length
    t.true(set > 800 && set < 1_200, `bit ${bit} was set ${set} times`)
  }
})
