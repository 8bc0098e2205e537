import { seededRandom } from '@goals/offline-provider'
import test from 'ava'
import { cutRange, dayMs, hourMs, minuteMs } from '../../../lib/time/time-ranges.ts'

const at = (text: string) => new Date(`2026-03-${text}Z`)

test('a range is cut into the largest whole units that fit, and what is left at its ends', (t) => {
  const { units, rest } = cutRange({ from: at('01T22:30:15'), to: at('03T01:00:30') }, [dayMs, hourMs])
  t.deepEqual(units, [
    [{ from: at('02T00:00:00'), to: at('03T00:00:00') }],
    [
      { from: at('01T23:00:00'), to: at('02T00:00:00') },
      { from: at('03T00:00:00'), to: at('03T01:00:00') }
    ]
  ])
  t.deepEqual(rest, [
    { from: at('01T22:30:15'), to: at('01T23:00:00') },
    { from: at('03T01:00:00'), to: at('03T01:00:30') }
  ])
})

test('a range shorter than a unit is left whole, and an empty one has no parts', (t) => {
  const range = { from: at('01T22:30:15'), to: at('01T22:31:45') }
  t.deepEqual(cutRange(range, [hourMs, minuteMs]), { units: [[], []], rest: [range] })
  t.deepEqual(cutRange({ from: range.to, to: range.from }, [hourMs]), { units: [[]], rest: [] })
})

test('the parts of any range are whole units, touch each other, and make the range', (t) => {
  const random = seededRandom(7)
  for (let n = 0; n < 2_000; n++) {
    const from = Math.floor((random() - 0.2) * 40 * dayMs)
    const range = { from: new Date(from), to: new Date(from + Math.floor(random() ** 3 * 10 * dayMs)) }
    const sizes = [dayMs, hourMs, minuteMs]
    const { units, rest } = cutRange(range, sizes)
    for (const [index, parts] of units.entries()) {
      for (const { from: start, to: end } of parts) {
        t.true(start < end)
        t.is(Math.abs(start.getTime() % (sizes[index] as number)), 0)
        t.is(Math.abs(end.getTime() % (sizes[index] as number)), 0)
      }
    }
    const all = [...units.flat(), ...rest].toSorted((a, b) => a.from.getTime() - b.from.getTime())
    let end = range.from.getTime()
    for (const part of all) {
      t.is(part.from.getTime(), end)
      end = part.to.getTime()
    }
    t.is(end, range.to.getTime())
  }
})
