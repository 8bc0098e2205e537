import test from 'ava'
import { newId } from '../../../lib/ids.ts'
import { parseQuery } from '../../../lib/rag/query-text.ts'
import { createRetriever } from '../../../lib/rag/retriever.ts'
import { createScopes, type Scope } from '../../../lib/access/scope.ts'
import { createEmbeddingSearch, type SearchQuery } from '../../../lib/store/search/embedding-search.ts'
import { contextForFile, newUser } from '../../helpers/context.ts'
import { silent } from './place.ts'
import { createRandom, insertRows, type RawRow, randomVector } from './vectors.ts'

const context = contextForFile(test)
const random = createRandom(11)
const model = 'test-model'

/** The scope of a new user with these rows. */
async function owning(
  rows: (Partial<RawRow> & { text?: string })[]
): Promise<{ scope: Scope; ids: string[]; userId: string }> {
  const userId = await newUser(context())
  const ids = rows.map(({ sourceId }) => sourceId ?? newId())
  await insertRows(
    context().knex,
    rows.map((row, index) => ({
      sourceType: 'task',
      scope: 'user',
      text: 'words',
      vector: randomVector(random),
      ...row,
      ownerId: userId,
      sourceId: ids[index] as string
    }))
  )
  const scopes = createScopes({ access: { visibleCourse: async () => undefined } })
  return { scope: await scopes.forRun({ id: userId, role: 'user' }, { scope: 'user' }), ids, userId }
}

const search = async (scope: Scope, query: Omit<SearchQuery, 'model' | 'limit'> & { limit?: number; model?: string }) =>
  await createEmbeddingSearch(context()).search(scope, { model, limit: 10, ...query })

const idsOf = ({ hits }: { hits: { sourceId: string }[] }) => hits.map(({ sourceId }) => sourceId)

test.serial('the vector alone orders by nearness', async (t) => {
  const vector = randomVector(random)
  const blend = (share: number) => {
    const other = randomVector(random)
    return vector.map((value, index) => value * share + (other[index] as number) * (1 - share))
  }
  const { scope, ids } = await owning([{ vector: blend(0.3) }, { vector: blend(0.95) }, { vector: blend(0.7) }])
  const found = await search(scope, { vector })
  t.deepEqual(idsOf(found), [ids[1], ids[2], ids[0]] as string[])
  t.is(found.strategy, 'exact')
})

test.serial('words alone find any of them, and rare ones weigh more', async (t) => {
  const common = Array.from({ length: 30 }, () => ({ text: 'a list of things' }))
  const { scope, ids } = await owning([{ text: 'a list' }, { text: 'about zippers' }, { text: 'nothing' }, ...common])
  const found = idsOf(await search(scope, { words: 'list of zippers', limit: 50 }))
  t.is(found[0], ids[1])
  t.true(found.includes(ids[0] as string))
  t.false(found.includes(ids[2] as string))
})

test.serial('words meet in their stem, and inside of compound names', async (t) => {
  const { scope, ids } = await owning([{ text: 'function parseIntList(text) {}' }, { text: 'sorting runs' }])
  t.deepEqual(idsOf(await search(scope, { words: 'integer lists parsed' })), [ids[0]] as string[])
  t.deepEqual(idsOf(await search(scope, { words: 'parseIntList' })), [ids[0]] as string[])
  t.deepEqual(idsOf(await search(scope, { words: 'sorted running' })), [ids[1]] as string[])
})

test.serial('phrases must occur and excluded words must not, in both halves', async (t) => {
  const vector = randomVector(random)
  const { scope, ids } = await owning([
    { text: 'a binary search of a list', vector },
    { text: 'search in a binary tree', vector },
    { text: 'a binary search of a tree', vector }
  ])
  t.deepEqual(
    idsOf(await search(scope, { vector, words: 'binary search', phrases: ['binary search'] })).toSorted(),
    ([ids[0], ids[2]] as string[]).toSorted()
  )
  t.deepEqual(idsOf(await search(scope, { vector, words: 'binary', excluded: ['tree'] })), [ids[0]] as string[])
  t.deepEqual(
    idsOf(await search(scope, { vector, words: 'binary', excluded: ['binary tree'] })).toSorted(),
    ([ids[0], ids[2]] as string[]).toSorted()
  )
  t.deepEqual(idsOf(await search(scope, { vector, phrases: ['tree', 'binary search'] })), [ids[2]] as string[])
})

test.serial('what both halves find comes before what one finds, with falling scores up to 1', async (t) => {
  const vector = randomVector(random)
  const { scope, ids } = await owning([
    { text: 'recursion', vector },
    { text: 'unrelated', vector },
    { text: 'recursion', vector: randomVector(random) }
  ])
  const { hits } = await search(scope, { vector, words: 'recursion' })
  t.is(hits[0]?.sourceId, ids[0])
  const scores = hits.map(({ score }) => score)
  t.deepEqual(
    scores,
    scores.toSorted((a, b) => b - a)
  )
  t.true(scores.every((score) => score > 0 && score <= 1))
})

test.serial('each record is one hit, its best chunk', async (t) => {
  const vector = randomVector(random)
  const sourceId = newId()
  const { scope } = await owning([
    ...Array.from({ length: 60 }, (_, chunk) => ({
      sourceId,
      chunk,
      text: `part ${chunk}`,
      vector: chunk === 41 ? vector : randomVector(random)
    })),
    { text: 'another' }
  ])
  for (const exactRows of [5_000, 0]) {
    const { hits } = await search(scope, { vector, exactRows })
    t.is(hits.length, 2)
    t.like(hits[0], { sourceId, chunk: 41 })
  }
})

test.serial('as many hits as asked for whenever there are as many, by either strategy', async (t) => {
  const count = 180
  const { scope } = await owning(Array.from({ length: count }, (_, n) => ({ text: n % 60 === 0 ? 'needle' : 'hay' })))
  // A large collection of others makes the scope narrow for the index.
  await owning(Array.from({ length: 400 }, () => ({ text: 'hay' })))
  for (const exactRows of [5_000, 0]) {
    for (const limit of [1, 10, 50]) {
      const { hits } = await search(scope, { vector: randomVector(random), words: 'needle', limit, exactRows })
      t.is(hits.length, limit)
      t.is(new Set(hits.map(({ sourceId }) => sourceId)).size, limit)
    }
  }
})

test.serial(
  'the index is used for large scopes only, finds nearly what an exact search finds, and says so',
  async (t) => {
    const { scope } = await owning(Array.from({ length: 600 }, () => ({})))
    let same = 0
    for (let round = 0; round < 10; round++) {
      const vector = randomVector(random)
      const exact = await search(scope, { vector })
      const near = await search(scope, { vector, exactRows: 500 })
      t.is(exact.strategy, 'exact')
      t.is(near.strategy, 'hnsw')
      const truth = new Set(idsOf(exact))
      same += idsOf(near).filter((id) => truth.has(id)).length
    }
    t.true(same >= 95, `${same} of 100`)
  }
)

test.serial('an index search that comes back short is made exact', async (t) => {
  const { scope } = await owning(Array.from({ length: 40 }, () => ({})))
  const { strategy, hits } = await search(scope, { vector: randomVector(random), limit: 50, exactRows: 0 })
  t.is(hits.length, 40)
  t.is(strategy, 'exact')
})

test.serial('few rows behind a filter are searched exactly, however large the scope is', async (t) => {
  const { scope, ids } = await owning(
    Array.from({ length: 200 }, (_, n) => ({ text: n < 3 ? 'a rare phrase here' : 'hay' }))
  )
  const found = await search(scope, { vector: randomVector(random), phrases: ['rare phrase'], exactRows: 50 })
  t.is(found.strategy, 'exact')
  t.deepEqual(idsOf(found).toSorted(), ids.slice(0, 3).toSorted())
})

test.serial('vectors of another model are never compared', async (t) => {
  const vector = randomVector(random)
  const { scope, userId } = await owning([{ vector }])
  await insertRows(context().knex, [
    { sourceType: 'task', scope: 'user', text: 'words', vector, ownerId: userId, model: 'other-model' }
  ])
  t.is((await search(scope, { vector, words: 'words' })).hits.length, 1)
  t.is((await search(scope, { vector, words: 'words', model: 'third-model' })).hits.length, 0)
})

test.serial('a query of nothing but common words, of signs or of thousands of words does no harm', async (t) => {
  const { scope } = await owning([{ text: 'a list' }])
  for (const words of [
    'the of and',
    "!!! & | ( :* '",
    '\\ \\\' "',
    'word '.repeat(4_000),
    '\u{1F600}',
    'a:b & c | !d <-> e'
  ]) {
    await t.notThrowsAsync(
      search(scope, { words, phrases: [words.slice(0, 50)], excluded: ['zzz', words.slice(0, 20)] })
    )
    await t.notThrowsAsync(search(scope, { words }))
  }
})

test.serial('hits that their records place elsewhere are dropped by the second look, and it is logged', async (t) => {
  const logged: object[] = []
  const vector = randomVector(random)
  // Rows without records: their owner column says they may be found, no record says so.
  const { scope } = await owning([{ vector }])
  const retriever = createRetriever({
    search: createEmbeddingSearch(context()),
    model,
    log: { error: (fields: object) => void logged.push(fields) } as unknown as typeof silent
  })
  t.deepEqual((await retriever.find(scope, { vector, limit: 10 })).hits, [])
  t.deepEqual(logged, [{ scope: 'user', dropped: 1 }])
})

test.serial('a scope that was not made by createScopes is refused at run time, too', async (t) => {
  const { userId } = await owning([{}])
  const retriever = createRetriever({ search: createEmbeddingSearch(context()), model, log: silent })
  const forged = { kind: 'user', userId, role: 'user' } as unknown as Scope
  await t.throwsAsync(retriever.find(forged, { words: 'words', limit: 10 }), { instanceOf: TypeError })
})

test.serial(
  'as many phrases and exclusions as a query can hold are searched with, in every language at once',
  async (t) => {
    const languages = ['en', 'de', 'es', 'fr', 'it', 'pt', 'nl', 'sv', 'da', 'no', 'fi', 'ru', 'tr', 'hu', 'ro']
    const { scope, ids } = await owning(languages.map((language) => ({ language, text: 'sorting with bubbles' })))
    const query = (more: (n: number) => string, count: number) =>
      `sorting ${Array.from({ length: count }, (_, n) => more(n)).join(' ')}`.slice(0, 4_000)
    for (const text of [query(() => '-ab', 990), query((n) => `-w${n}`, 990), query((n) => `-"x y${n}"`, 990)]) {
      const found = await search(scope, { ...parseQuery(text), vector: randomVector(random), limit: 50 })
      t.is(new Set(idsOf(found)).size, ids.length)
    }
    for (const text of [
      query((n) => `"a${n}"`, 990),
      query((n) => `w${n}`, 2_000),
      query((n) => `"a b c${n}" -d${n}`, 500)
    ]) {
      await t.notThrowsAsync(search(scope, { ...parseQuery(text), vector: randomVector(random) }))
    }
  }
)
