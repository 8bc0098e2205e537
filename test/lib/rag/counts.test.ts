import test from 'ava'
import { newId } from '../../../lib/ids.ts'
import { contextForFile, newUser } from '../../helpers/context.ts'
import { createRandom, insertRows, type RawRow, randomVector } from './vectors.ts'

const context = contextForFile(test)
const random = createRandom(5)
const vocabulary = Array.from({ length: 40 }, (_, index) => `word${String.fromCharCode(97 + (index % 26))}${index}`)
const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T

const row = (ownerId: string): RawRow => ({
  sourceType: pick(['goal', 'task']),
  ownerId,
  scope: 'user',
  text: Array.from({ length: 12 }, () => pick(vocabulary)).join(' '),
  vector: randomVector(random)
})

/** Words and chunks whose kept counts are not what counting now gives. */
async function wrong(): Promise<unknown[]> {
  const { rows: words } = await context().knex.raw(`
    select coalesce(k.word, r.word) as word, k.n as kept, r.n as counted
    from (select model, word, sum(n) as n from word_counts group by model, word having sum(n) <> 0) k
    full join (select e.model, w.lexeme as word, count(*) as n from embeddings e, unnest(e.tsv) w group by 1, 2) r
      using (model, word)
    where k.n is distinct from r.n`)
  const { rows: chunks } = await context().knex.raw(`
    select owner_id, source_type, config, k.n as kept, r.n as counted, k.words as kept_words, r.words as counted_words
    from (select owner_id, source_type, config, sum(n) as n, sum(words) as words from embedding_counts
      group by 1, 2, 3 having sum(n) <> 0) k
    full join (select owner_id, source_type, config, count(*) as n, sum(length(tsv)) as words from embeddings
      group by 1, 2, 3) r using (owner_id, source_type, config)
    where (k.n, k.words) is distinct from (r.n, r.words)`)
  return [...words, ...chunks]
}

test.serial(
  'counts stay right through inserts, updates, deletes and rollbacks at once, and their rows stay few',
  async (t) => {
    const { knex } = context()
    const owners = [await newUser(context()), await newUser(context()), await newUser(context())]
    await Promise.all(
      Array.from({ length: 4 }, async (_, worker) => {
        for (let round = 0; round < 40; round++) {
          const roll = random()
          const owner = pick(owners)
          if (roll < 0.5) await insertRows(knex, [row(owner), row(owner), row(owner)])
          else if (roll < 0.65) {
            await knex
              .raw('delete from embeddings where id in (select id from embeddings where owner_id = ? limit 2)', [owner])
              .catch(() => {})
          } else if (roll < 0.8) {
            await knex.raw(
              `update embeddings set tsv = to_tsvector('english', ?), config = ? where id in (select id from embeddings order by id desc limit 1)`,
              [`${pick(vocabulary)} ${worker}`, pick(['english', 'simple'])]
            )
          } else {
            const back = await knex
              .transaction(async (trx) => {
                await insertRows(trx, [row(owner)])
                throw new Error('back')
              })
              .catch((error: Error) => error.message)
            t.is(back, 'back')
          }
        }
      })
    )
    t.deepEqual(await wrong(), [])
    await knex('users').where({ id: owners[0] }).delete()
    t.deepEqual(await wrong(), [])
    const { rows } = await knex.raw(
      'select max(n)::int as most from (select count(*) as n from word_counts group by model, word) w'
    )
    t.true(rows[0].most <= 40, `a word has ${rows[0].most} rows`)
  }
)

test.serial('rows that are added up to no chunks keep the words they stand for', async (t) => {
  const { knex } = context()
  const owner = await newUser(context())
  const insert = async (text: string) => {
    const sourceId = newId()
    await insertRows(knex, [{ ...row(owner), sourceType: 'goal', sourceId, text }])
    return sourceId
  }
  const short = await insert('one word')
  const [began, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const holder = knex.transaction(async (trx) => {
    await trx('embedding_counts').where({ owner_id: owner }).forUpdate()
    began.resolve()
    await held.promise
  })
  await began.promise
  // Of the rows that nobody holds, those of goals come to one chunk more, one chunk less, and some words.
  await insert('several words more than the other one')
  await knex('embeddings').where({ source_id: short }).delete()
  for (let n = 0; n < 20; n++) await insertRows(knex, [{ ...row(owner), sourceType: 'task' }])
  held.resolve()
  await holder
  t.deepEqual(await wrong(), [])
})

test.serial('counts follow a move to another owner', async (t) => {
  const { knex } = context()
  const [one, two] = [await newUser(context()), await newUser(context())]
  const sourceId = newId()
  await insertRows(knex, [{ ...row(one), sourceId }])
  await knex('embeddings').where({ source_id: sourceId }).update({ owner_id: two })
  t.deepEqual(await wrong(), [])
})
