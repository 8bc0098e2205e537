import test from 'ava'
import { createRetriever } from '../../../lib/rag/retriever.ts'
import { createScopes } from '../../../lib/access/scope.ts'
import type { EmbeddingSearch, SearchResult } from '../../../lib/store/search/embedding-search.ts'

const scopes = createScopes({ access: { visibleCourse: async () => ({}) } })
const scopeOf = async (id: string) => await scopes.for({ id, role: 'user' }, { scope: 'user' })

test("one person's long searches keep nobody else waiting, nor every connection of the process", async (t) => {
  const release = Promise.withResolvers<void>()
  const none: SearchResult = { strategy: 'exact', hits: [] }
  let searching = 0
  const search: EmbeddingSearch = {
    async search({ userId }) {
      searching += 1
      if (userId === 'many') await release.promise
      return none
    },
    within: async () => new Set()
  }
  const retriever = createRetriever({ search, model: 'model', log: { error: t.fail } })
  const many = await scopeOf('many')
  const long = Array.from({ length: 20 }, () => retriever.find(many, { words: 'x', limit: 1 }))
  t.is(searching, 3)
  t.deepEqual(await retriever.find(await scopeOf('other'), { words: 'x', limit: 1 }), none)
  release.resolve()
  await Promise.all(long)
  t.is(searching, 21)
})
