import test from 'ava'
import { growthOf, mostGrowth } from './growth.ts'
import { hostileTexts } from './texts.ts'
import { rooms } from './walkers.ts'

let walkers = 0

for (const [file, { exports, walkers: ofFile, others = [], once }] of Object.entries(rooms)) {
  const number = walkers
  walkers += Object.keys(ofFile).length

  test.serial(`${file}: time grows with the length of a text and no faster, whatever the text`, async (t) => {
    t.timeout(1_200_000)
    for (const [at, [name, run]] of Object.entries(ofFile).entries()) {
      for (const { name: text, make } of hostileTexts(number + at, once)) {
        const { factor, chars, ms } = await growthOf(run, make)
        t.true(
          factor < mostGrowth,
          `${name}: ${text}: ${factor.toFixed(2)} a doubling, ${ms.toFixed(0)} ms for ${chars}`
        )
      }
    }
  })

  test(`${file}: each function it exports is walked`, (t) => {
    const known = new Set([...Object.keys(ofFile).map((name) => name.split(', ')[0]), ...others])
    const functions = Object.entries(exports).filter(([, value]) => typeof value === 'function')
    t.deepEqual(
      functions.map(([name]) => name).filter((name) => !known.has(name)),
      []
    )
  })
}
