import { seededRandom } from '@goals/offline-provider'
import test from 'ava'
import { findSharedAddresses, type Presence } from '../../../lib/admin/shared-addresses.ts'

const seen = (who: string, at: number, place = 'here'): Presence => ({ place, who, first: at, last: at })

test('different ones count once however often they come', (t) => {
  const presences = [seen('a', 0), seen('a', 1), seen('b', 2), seen('a', 3)]
  t.deepEqual(findSharedAddresses(presences, 10, 3), [])
  t.deepEqual(findSharedAddresses([...presences, seen('c', 4)], 10, 3), [
    { place: 'here', most: 3, members: new Set(['a', 'b', 'c']) }
  ])
})

test('a window holds less than its own length: what is exactly that far apart is not in one', (t) => {
  t.deepEqual(findSharedAddresses([seen('a', 0), seen('b', 10)], 10, 2), [])
  t.is(findSharedAddresses([seen('a', 0), seen('b', 9)], 10, 2).length, 1)
})

test('only those count as members who were there when there were enough', (t) => {
  const presences = [seen('early', 0), seen('a', 50), seen('b', 52), seen('c', 55), seen('late', 70)]
  t.deepEqual(findSharedAddresses(presences, 10, 3)[0]?.members, new Set(['a', 'b', 'c']))
})

test('finds what looking at every window finds', (t) => {
  const random = seededRandom(3)
  const windowMs = 12
  for (let n = 0; n < 300; n++) {
    const sightings = Array.from({ length: 25 }, () =>
      seen(`w${Math.floor(random() * 7)}`, Math.floor(random() * 90), `p${Math.floor(random() * 2)}`)
    )
    // As they come from the database: the first and the last of each unit of time.
    const units = Map.groupBy(sightings, ({ place, who, first }) => `${place} ${who} ${Math.floor(first / windowMs)}`)
    const presences = Array.from(units.values(), (own) => {
      const times = own.map(({ first }) => first)
      return { ...(own[0] as Presence), first: Math.min(...times), last: Math.max(...times) }
    })
    const least = 2 + Math.floor(random() * 4)
    const expected = ['p0', 'p1'].flatMap((place) => {
      let most = 0
      const members = new Set<string>()
      for (let end = 0; end < 90 + windowMs; end++) {
        const inside = sightings.filter((one) => one.place === place && one.first > end - windowMs && one.first <= end)
        const who = new Set(inside.map((one) => one.who))
        most = Math.max(most, who.size)
        if (who.size >= least) for (const one of who) members.add(one)
      }
      return most >= least ? [{ place, most, members }] : []
    })
    const sorted = findSharedAddresses(presences, windowMs, least)
      .map((one) => ({ ...one, members: new Set([...one.members].sort()) }))
      .toSorted((a, b) => (a.place < b.place ? -1 : 1))
    t.deepEqual(
      sorted,
      expected.map((one) => ({ ...one, members: new Set([...one.members].sort()) }))
    )
  }
})
