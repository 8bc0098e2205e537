import test from 'ava'
import type { AiAction } from '../../lib/actions/actions.ts'
import { ease } from '../../workers/load.ts'

/** Pools of a process of which one person has so many places each. */
function stage(mostOfGroup: Partial<Record<AiAction, number>>) {
  const placesOf = new Map<AiAction, number>([
    ['embedding_generation', 16],
    ['rag_search', 16],
    ['bulk_create', 2]
  ])
  const now = new Map(placesOf)
  const pools = [...placesOf.keys()].map((action) => ({
    action,
    places: () => now.get(action) as number,
    resize: (places: number) => void now.set(action, places)
  }))
  const seatsOf = (action: AiAction) => ({
    counts: () => ({ taken: 0, mostOfOne: 1, mostOfGroup: mostOfGroup[action] ?? 0 })
  })
  const look = (delayMs: number) => ease({ pools, placesOf, seatsOf, delayMs })
  return { look, places: () => [...now.values()] }
}

test('while the event loop is late the pool of which one person has most takes fewer jobs at once, down to a few', (t) => {
  const { look, places } = stage({ embedding_generation: 12, rag_search: 1, bulk_create: 2 })
  const seen = [50, 50, 50, 50, 50].map((delayMs) => {
    look(delayMs)
    return places()
  })
  t.deepEqual(seen, [
    [8, 16, 2],
    [4, 16, 2],
    [2, 16, 2],
    [2, 16, 2],
    [2, 16, 2]
  ])
})

test('people who have one job each are not held back, however late the event loop is', (t) => {
  const { look, places } = stage({ embedding_generation: 1, rag_search: 1 })
  for (let n = 0; n < 10; n++) look(500)
  t.deepEqual(places(), [16, 16, 2])
})

test('places come back one by one when the event loop is quick again, and stay as they are in between', (t) => {
  const { look, places } = stage({ embedding_generation: 12 })
  look(50)
  look(15)
  t.deepEqual(places(), [8, 16, 2])
  look(1)
  look(1)
  t.deepEqual(places(), [10, 16, 2])
  for (let n = 0; n < 20; n++) look(1)
  t.deepEqual(places(), [16, 16, 2])
})
