import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Knex } from 'knex'
import { loadConfig } from '../lib/config.ts'
import { newId } from '../lib/ids.ts'
import { createLogger } from '../lib/logger.ts'
import { createOpenAi } from '../lib/models/client.ts'
import { openOfflineProvider } from '../lib/models/open-offline.ts'
import { sourceHash } from '../lib/rag/embedding-text.ts'
import { embedSource } from '../lib/rag/embed-source.ts'
import { parseQuery } from '../lib/rag/query-text.ts'
import { createRag } from '../lib/rag/rag.ts'
import type { Embedder } from '../lib/rag/vectors.ts'
import { createEmbeddingSearch } from '../lib/store/search/embedding-search.ts'
import type { SourceKey } from '../lib/store/search/sources.ts'
import { openBenchDatabase, printTable } from './bench-database.ts'

/**
 * `npm run bench:retrieval [-- folder]`: how well queries find their tasks in a collection (in the format of the loader,
 * with `queries.jsonl`; the sample's `everyday-problems` when none is named), by vectors alone, by words alone and by both. Takes the provider that the environment names,
 * else the offline one.
 */

const folder = process.argv[2] ?? fileURLToPath(new URL('../sample/everyday-problems', import.meta.url))
const signal = new AbortController().signal
const modes = {
  vector: { vector: 1, words: 0 },
  text: { vector: 0, words: 1 },
  hybrid: undefined
}

type Line = Record<string, string>
const read = (name: string): Line[] =>
  readFileSync(join(folder, `${name}.jsonl`), 'utf8')
    .split('\n')
    .filter((line) => line.trim())
    .map((line) => JSON.parse(line))

function openEmbedder(): Embedder {
  const config = loadConfig(process.env)
  const provider = config.openai.offline ? openOfflineProvider() : undefined
  const openai = createOpenAi({
    apiKey: config.openai.apiKey,
    baseUrl: provider ? 'http://offline.invalid/v1' : config.openai.baseUrl,
    timeoutMs: config.modelTimeoutMs,
    fetch: provider?.fetch
  })
  const model = config.embeddingModel
  return {
    embeddingModel: model,
    async embed({ texts }) {
      const { data } = await openai.embeddings.create({ model, input: texts })
      return { model, vectors: data.map(({ embedding }) => embedding), reused: 0 }
    }
  }
}

/** Everything belongs to one user; returns them and the slug of each task. */
async function fill(knex: Knex): Promise<{ userId: string; keys: SourceKey[]; slugs: Map<string, string> }> {
  const userId = newId()
  await knex('users').insert({ id: userId, email: 'bench@bench.test', password_hash: '-' })
  const ids = new Map<string, string>()
  const idOf = (kind: string, name = '') => {
    const id = ids.get(`${kind} ${name}`) ?? newId()
    ids.set(`${kind} ${name}`, id)
    return id
  }
  const keys: SourceKey[] = []
  const slugs = new Map<string, string>()
  for (const { id, title, description, language } of read('courses')) {
    const course = { id: idOf('course', id), owner_id: userId, title, description, subject: language }
    await knex('courses').insert(course)
    await knex('goals').insert({
      id: idOf('goal', id),
      user_id: userId,
      course_id: course.id,
      title: `${title} exercises`
    })
    keys.push({ type: 'goal', id: idOf('goal', id) })
  }
  for (const { id, course, title, instructions } of read('tasks')) {
    const task = {
      id: idOf('task', id),
      goal_id: idOf('goal', course),
      user_id: userId,
      title,
      description: instructions
    }
    await knex('tasks').insert(task)
    keys.push({ type: 'task', id: task.id })
    slugs.set(task.id, (id ?? '').split('/').at(-1) as string)
  }
  for (const { task, language, source } of read('code-snapshots')) {
    const id = newId()
    const row = {
      id,
      user_id: userId,
      task_id: idOf('task', task),
      language,
      source,
      size_bytes: Buffer.byteLength(source ?? '')
    }
    await knex('code_snapshots').insert(row)
    keys.push({ type: 'code_snapshot', id })
  }
  for (const { course, title, markdown } of read('documents')) {
    const id = newId()
    await knex('documents').insert({ id, owner_id: userId, course_id: idOf('course', course), title, markdown })
    keys.push({ type: 'document', id })
  }
  return { userId, keys, slugs }
}

function measures(rankings: { relevant: boolean[]; total: number }[]) {
  const mean = (value: (ranking: (typeof rankings)[number]) => number) =>
    (rankings.reduce((sum, ranking) => sum + value(ranking), 0) / rankings.length).toFixed(3)
  const within = (k: number) => (each: (typeof rankings)[number]) => each.relevant.slice(0, k).filter(Boolean).length
  const gain = (flags: boolean[]) => flags.reduce((sum, flag, index) => sum + (flag ? 1 / Math.log2(index + 2) : 0), 0)
  return {
    'one in 1': mean((each) => Number(within(1)(each) > 0)),
    'one in 5': mean((each) => Number(within(5)(each) > 0)),
    'recall@1': mean((each) => within(1)(each) / each.total),
    'recall@5': mean((each) => within(5)(each) / each.total),
    MRR: mean(({ relevant }) => (relevant.includes(true) ? 1 / (relevant.indexOf(true) + 1) : 0)),
    'nDCG@10': mean(
      ({ relevant, total }) =>
        gain(relevant.slice(0, 10)) / gain(Array.from({ length: Math.min(10, total) }, () => true))
    )
  }
}

const { knex, close } = await openBenchDatabase()
const models = openEmbedder()
const access = { visibleCourse: async () => ({}), canSee: async () => true }
const rag = createRag({ knex, access, models, log: createLogger({ level: 'error', name: 'bench' }) })
try {
  const { userId, keys, slugs } = await fill(knex)
  let chunkCount = 0
  for (const key of keys) {
    const source = await rag.sources.find(key)
    if (!source) continue
    const { rows } = await embedSource({ ...rag, models }, source, { owner: userId, signal })
    await knex.transaction((trx) =>
      rag.embeddings.replace(trx, source, models.embeddingModel, { textHash: sourceHash(source), rows })
    )
    chunkCount += rows.length
    if (process.stdout.isTTY) process.stdout.write(`\r${chunkCount} chunks`)
  }
  const queries = read('queries')
  console.log(`\r${keys.length} records in ${chunkCount} chunks, ${queries.length} queries, ${models.embeddingModel}`)

  const search = createEmbeddingSearch({ knex })
  const scope = await rag.scopes.for({ id: userId, role: 'user' }, { scope: 'user' })
  const table: Record<string, string | number>[] = []
  for (const [among, types] of [
    ['all types', undefined],
    ['tasks', ['task']]
  ] as const) {
    for (const [mode, weights] of Object.entries(modes)) {
      const rankings = []
      for (const { query = '', relevantTask } of queries) {
        const { words } = parseQuery(query)
        const [vector] = (await models.embed({ step: 'query', texts: [words], signal })).vectors
        const wanted = {
          model: models.embeddingModel,
          vector,
          words,
          types,
          limit: 50,
          ...(weights ? { weights } : {})
        }
        const { hits } = await search.search(scope, wanted)
        rankings.push({
          relevant: hits.map(({ sourceId }) => slugs.get(sourceId) === relevantTask),
          total: [...slugs.values()].filter((slug) => slug === relevantTask).length
        })
      }
      table.push({ among, mode, ...measures(rankings) })
    }
  }
  printTable(table)
} finally {
  await rag.close()
  await close()
}
