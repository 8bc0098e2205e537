import test from 'ava'
import { mark, prepare } from '../../../lib/store/prepared.ts'
import { contextForFile } from '../../helpers/context.ts'

const context = contextForFile(test)

const times = [
  '2026-12-01T04:15:03.123999Z',
  '2026-12-01T04:15:03.5Z',
  '2026-12-01T04:15:03Z',
  '0099-02-28T23:59:59.000001Z',
  '9999-12-31T23:59:59.999999Z',
  '12026-01-01T00:00:00.25Z'
]

for (const zone of ['UTC', 'Asia/Kolkata', 'America/St_Johns']) {
  test(`times of a session in ${zone} are those that a date has, in UTC and to the millisecond`, async (t) => {
    await context().knex.transaction(async (trx) => {
      await trx.raw(`set local time zone '${zone}'`)
      for (const time of times) {
        const text = time.startsWith('12026') ? time.replace('12026', '+012026') : time
        const read = prepare(trx.select(trx.raw('?::timestamptz as at', [mark('at')])))
        const [row] = await read(trx, { at: time })
        t.deepEqual(row, [new Date(text).toISOString()])
      }
    })
  })
}

test('a statement is prepared once by a connection, and takes other values each time', async (t) => {
  await context().knex.transaction(async (trx) => {
    const read = prepare(
      trx.select(trx.raw('?::int + ?::int as sum', [mark('a'), mark('b')]), trx.raw('? as same', ['as it is']))
    )
    t.deepEqual(await read(trx, { a: 1, b: 2 }), [[3, 'as it is']])
    t.deepEqual(await read(trx, { b: 5, a: 4 }), [[9, 'as it is']])
    const { rows } = await trx.raw(`select count(*)::int from pg_prepared_statements where statement like '%as sum%'`)
    t.is(rows[0].count, 1)
  })
})
