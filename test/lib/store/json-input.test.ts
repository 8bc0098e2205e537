import test from 'ava'
import { newId } from '../../../lib/ids.ts'
import { JsonText } from '../../../lib/text/json-text.ts'
import { jsonInput } from '../../../lib/store/json-input.ts'
import { contextForFile } from '../../helpers/context.ts'

const context = contextForFile(test)

test('a large text is stored as it is, also where a piece would end within a character, and leaves nothing behind', async (t) => {
  const { transaction, knex } = context()
  for (const pad of ['', 'x', 'xx', 'xxx']) {
    const value = { pad, text: '\ud83c\udf0d "é" '.repeat(150_000), numbers: [1, null, 1.5] }
    const text = new JsonText(JsonText.bytesOf(value))
    t.true([...text.pieces()].length > 2)
    const id = newId()
    const [stored, kept] = await transaction.transact(async (trx) => {
      const input = await jsonInput(trx, id, text)
      const { rows } = await trx.raw('select ?::jsonb as value, pg_backend_pid() as pid', [input()])
      return [rows[0].value as unknown, rows[0].pid as number]
    })
    t.deepEqual(stored, value)
    const name = `goals.json_${id.replaceAll('-', '')}_0`
    const { rows } = await knex.raw('select current_setting(?, true) as text, pg_backend_pid() as pid', [name])
    if (rows[0].pid === kept) t.falsy(rows[0].text)
  }
  const small = await transaction.transact((trx) => jsonInput(trx, newId(), { a: 1 }))
  t.is(small(), '{"a":1}')
})
