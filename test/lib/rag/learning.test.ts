import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import type { Actor } from '../../../lib/access/actor.ts'
import { ragForFile } from './place.ts'

const place = ragForFile(test)

type Collection = {
  courses: { id: string; title: string; description: string; language: string }[]
  documents: { id: string; course: string; title: string; markdown: string }[]
  tasks: { id: string; course: string; title: string; instructions: string }[]
  codeSnapshots: { id: string; task: string; language: string; source: string }[]
  queries: { query: string; relevantTask: string }[]
}

function readCollection(): Collection {
  const folder = fileURLToPath(new URL('../../../sample/everyday-problems', import.meta.url))
  const read = (name: string) =>
    readFileSync(`${folder}/${name}.jsonl`, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
  return {
    courses: read('courses'),
    documents: read('documents'),
    tasks: read('tasks'),
    codeSnapshots: read('code-snapshots'),
    queries: read('queries')
  }
}

test.serial('queries of the collection find their tasks, and solutions those in the other language', async (t) => {
  t.timeout(300_000)
  const { records, rag, newActor, embedQueued, models } = place()
  const { courses, documents, tasks, codeSnapshots, queries } = readCollection()
  const actor: Actor = await newActor()
  const slugs = new Map<string, string>()
  const taskIds = new Map<string, string>()
  await records.run(async (trx) => {
    const goals = new Map<string, string>()
    const courseIds = new Map<string, string>()
    for (const { id, title, description, language } of courses) {
      const input = { title, description, subject: language, language: 'en', visibility: 'private' as const }
      const course = await records.courses.create(trx, actor, input)
      courseIds.set(id, course.id)
      const goal = { title: `${title} exercises`, status: 'active' as const, courseId: course.id }
      goals.set(id, (await records.goals.create(trx, actor, goal)).id)
    }
    const created = await records.tasks.createMany(
      trx,
      actor,
      tasks.map(({ course, title, instructions }) => ({
        goalId: goals.get(course) as string,
        title,
        description: instructions,
        status: 'pending' as const
      }))
    )
    created.forEach((task, index) => {
      const { id } = task as { id: string }
      slugs.set(id, tasks[index]?.id as string)
      taskIds.set(tasks[index]?.id as string, id)
    })
    const snapshots = await records.codeSnapshots.createMany(
      trx,
      actor,
      codeSnapshots.map(({ task, language, source }) => ({ language, source, taskId: taskIds.get(task) ?? null }))
    )
    snapshots.forEach((snapshot, index) =>
      slugs.set((snapshot as { id: string }).id, codeSnapshots[index]?.id as string)
    )
    await records.documents.createMany(
      trx,
      actor,
      documents.map(({ course, title, markdown }) => ({ title, markdown, courseId: courseIds.get(course) as string }))
    )
  })
  t.is(await embedQueued(), courses.length + tasks.length + codeSnapshots.length + documents.length)

  const signal = new AbortController().signal
  const scope = await rag.scopes.for(actor, { scope: 'user' })
  const ranks: number[] = []
  for (const { query, relevantTask } of queries) {
    const { hits } = await rag.tools.search_knowledge_base(scope, { scope: 'user', limit: 10, query }, { signal })
    const rank = hits.findIndex(({ sourceId, sourceType }) => {
      const [, slug] = (slugs.get(sourceId) ?? '').split('/')
      return sourceType === 'task' && slug === relevantTask
    })
    ranks.push(rank + 1)
    t.true(
      hits.every(
        ({ score }, index) => score > 0 && score <= 1 && (index === 0 || score <= (hits[index - 1]?.score ?? 0))
      )
    )
  }
  const amongFive = ranks.filter((rank) => rank >= 1 && rank <= 5).length / ranks.length
  const meanReciprocal = ranks.reduce((sum, rank) => sum + (rank > 0 ? 1 / rank : 0), 0) / ranks.length
  t.log(`among the first five ${amongFive.toFixed(3)}, MRR ${meanReciprocal.toFixed(3)}`)
  t.true(amongFive >= 0.9)
  t.true(meanReciprocal >= 0.9)

  const calls = models.calls.length
  const other: number[] = []
  for (const [id, slug] of slugs) {
    const pair = slug.replace('javascript/', 'python/')
    if (pair === slug || taskIds.get(slug) === id || !codeSnapshots.some((snapshot) => snapshot.id === pair)) continue
    if (other.length === 40) break
    const { hits } = await rag.tools.get_similar_code(
      scope,
      { scope: 'user', limit: 5, codeSnapshotId: id },
      { signal }
    )
    t.false(hits.some(({ sourceId }) => sourceId === id))
    other.push(hits.findIndex(({ sourceId }) => slugs.get(sourceId) === pair) + 1)
  }
  const first = other.filter((rank) => rank === 1).length / other.length
  t.log(`the same exercise in the other language comes first for ${(first * 100).toFixed(0)} % of ${other.length}`)
  t.true(first >= 0.9)
  t.is(models.calls.length, calls, 'stored vectors serve')
})
