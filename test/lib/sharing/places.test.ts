import test from 'ava'
import { createPlaces } from '../../../lib/sharing/places.ts'

const settled = () => new Promise((resolve) => setImmediate(resolve))

test('whoever waits for a place is served in turn, owner by owner, and nobody overtakes', async (t) => {
  const places = createPlaces({ places: 1, longestWaitMs: 60_000, tooLate: () => new Error('late') })
  t.is(places.enter('a'), undefined)
  const order: string[] = []
  const waits = ['a1', 'a2', 'a3', 'b1', 'c1', 'b2'].map(async (name) => {
    await places.enter(name.charAt(0))
    order.push(name)
  })
  for (let n = 0; n < waits.length; n++) {
    places.leave(order.at(-1)?.charAt(0) ?? 'a')
    await settled()
    t.is(order.length, n + 1)
  }
  await Promise.all(waits)
  t.deepEqual(order, ['a1', 'b1', 'c1', 'a2', 'b2', 'a3'])
  t.not(places.enter('d'), undefined, 'the last place is still taken')
  places.leave('b')
})

test('no more places are taken at once than there are, whoever comes and goes', async (t) => {
  const places = createPlaces({ places: 3, longestWaitMs: 60_000, tooLate: () => new Error('late') })
  let taken = 0
  let most = 0
  await Promise.all(
    Array.from({ length: 200 }, async (_, n) => {
      const owner = `owner ${n % 7}`
      await places.enter(owner)
      most = Math.max(most, ++taken)
      await settled()
      taken--
      places.leave(owner)
    })
  )
  t.is(most, 3)
  for (let n = 0; n < 3; n++) t.is(places.enter('after'), undefined)
})

test('a wait that takes too long ends with the error of the pool, and its place in the line is gone', async (t) => {
  const places = createPlaces({ places: 1, longestWaitMs: 20, tooLate: () => new Error('no place came free') })
  t.is(places.enter('a'), undefined)
  await t.throwsAsync(async () => places.enter('b'), { message: 'no place came free' })
  places.leave('a')
  t.is(places.enter('c'), undefined)
})

test('one owner never has more than their share, and what they leave goes on to whoever may have it', async (t) => {
  const places = createPlaces({ places: 3, placesOf: () => 2, longestWaitMs: 60_000, tooLate: () => new Error('late') })
  t.is(places.enter('a'), undefined)
  t.is(places.enter('a'), undefined)
  const third = Promise.resolve(places.enter('a')).then(() => 'a')
  t.is(places.enter('b'), undefined)
  const second = Promise.resolve(places.enter('b')).then(() => 'b')
  places.leave('b')
  t.is(await Promise.race([third, second]), 'b')
  places.leave('a')
  t.is(await third, 'a')
})
