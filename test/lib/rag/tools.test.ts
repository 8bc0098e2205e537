import test from 'ava'
import { actionOf } from '../../../lib/actions/actions.ts'
import type { Actor } from '../../../lib/access/actor.ts'
import { estimateTokens } from '../../../lib/text/token-estimate.ts'
import { type RagToolArguments, type RagToolName, ragToolSchemas } from '../../../lib/schemas/rag.ts'
import { createReferences } from '../../../lib/records/references.ts'
import { createThreadStore } from '../../../lib/store/records/threads.ts'
import type { RagTool } from '../../../lib/rag/tools/tool.ts'
import { ragForFile } from './place.ts'

const place = ragForFile(test)
const signal = new AbortController().signal

async function run<N extends RagToolName>(actor: Actor, name: N, input: Record<string, unknown>) {
  const args = ragToolSchemas[name].parse(input) as RagToolArguments<N>
  const scope = await place().rag.scopes.forRun(
    actor,
    args as { scope: 'user' | 'course' | 'global'; courseId?: string }
  )
  return await (place().rag.tools[name] as RagTool<N>)(scope, args, { signal })
}

const create = {
  async course(
    actor: Actor,
    more: { visibility?: 'private' | 'enrolled' | 'public'; language?: string; subject?: string } = {}
  ) {
    const { records } = place()
    const input = { title: 'A course', language: 'en', visibility: 'private' as const, ...more }
    return (await records.run((trx) => records.courses.create(trx, actor, input))).id
  },
  async goal(actor: Actor, title: string, more: { courseId?: string; description?: string } = {}) {
    const { records } = place()
    return (await records.run((trx) => records.goals.create(trx, actor, { title, status: 'active', ...more }))).id
  },
  async task(actor: Actor, goalId: string, title: string, description?: string) {
    const { records } = place()
    const input = { goalId, title, status: 'pending' as const, ...(description ? { description } : {}) }
    return (await records.run((trx) => records.tasks.create(trx, actor, input))).id
  },
  async code(actor: Actor, language: string, source: string, taskId?: string) {
    const { records } = place()
    const input = { language, source, ...(taskId ? { taskId } : {}) }
    return (await records.run((trx) => records.codeSnapshots.create(trx, actor, input))).id
  },
  async document(actor: Actor, title: string, markdown: string, courseId?: string) {
    const { records } = place()
    const input = { title, markdown, ...(courseId ? { courseId } : {}) }
    return (await records.run((trx) => records.documents.create(trx, actor, input))).id
  }
}

const ids = ({ hits }: { hits: { sourceId: string }[] }) => hits.map(({ sourceId }) => sourceId)

test.serial('similar goals are found by a query, in one tracked call, and by another goal without any', async (t) => {
  const actor = await place().newActor()
  const sorting = await create.goal(actor, 'Learn sorting algorithms', { description: 'merge sort and quick sort' })
  const sorted = await create.goal(actor, 'Understand how sorting works', { description: 'compare sort algorithms' })
  const cooking = await create.goal(actor, 'Bake bread at home')
  await place().embedQueued()
  const before = place().models.calls.length
  const byQuery = await run(actor, 'get_similar_goals', { query: 'sorting', limit: 2 })
  t.deepEqual(ids(byQuery).toSorted(), [sorting, sorted].toSorted())
  t.deepEqual(
    place()
      .models.calls.slice(before)
      .map(({ step }) => step),
    ['query']
  )
  const byGoal = await run(actor, 'get_similar_goals', { goalId: sorting })
  t.deepEqual(ids(byGoal), [sorted, cooking])
  t.is(place().models.calls.length, before + 1)
})

test.serial('a goal that has no vectors yet is searched by its text', async (t) => {
  const actor = await place().newActor()
  const known = await create.goal(actor, 'Write a parser for arithmetic')
  await place().embedQueued()
  const fresh = await create.goal(actor, 'Parse arithmetic expressions')
  t.deepEqual(ids(await run(actor, 'get_similar_goals', { goalId: fresh })), [known])
})

test.serial('similar code finds the same exercise in another language and never the snapshot itself', async (t) => {
  const actor = await place().newActor()
  const exercises = {
    'Reverse String': ['return [...s].reverse().join("")', 's[::-1]', 'Reverse a given text, letter by letter.'],
    Leap: [
      'return y % 4 === 0 && y % 100 !== 0',
      'y % 4 == 0 and y % 100 != 0',
      'Decide whether a year is a leap year.'
    ],
    'Word Count': [
      'const counts = new Map()',
      'counts = Counter(words)',
      'Count how often each word occurs in a phrase.'
    ]
  }
  const [js, py] = [await create.goal(actor, 'JavaScript'), await create.goal(actor, 'Python')]
  const made: Record<string, string[]> = {}
  for (const [title, [one, two, text]] of Object.entries(exercises)) {
    made[title] = [
      await create.code(
        actor,
        'javascript',
        `export const run = (s, y, words) => { ${one} }`,
        await create.task(actor, js, title, text)
      ),
      await create.code(
        actor,
        'Python',
        `def run(s, y, words):\n    return ${two}`,
        await create.task(actor, py, title, text)
      )
    ]
  }
  await place().embedQueued()
  const before = place().models.calls.length
  for (const [script, snake] of Object.values(made)) {
    const any = await run(actor, 'get_similar_code', { codeSnapshotId: script })
    t.is(ids(any)[0], snake)
    t.false(ids(any).includes(script as string))
    t.is(ids(await run(actor, 'get_similar_code', { codeSnapshotId: script, language: 'py' }))[0], snake)
    const scores = any.hits.map(({ score }) => score)
    t.deepEqual(
      scores,
      scores.toSorted((a, b) => b - a)
    )
    t.true(scores.every((score) => score > 0 && score <= 1))
  }
  t.is(place().models.calls.length, before)
  t.is(ids(await run(actor, 'get_similar_code', { query: 'is it a leap year', language: 'python' }))[0], made.Leap?.[1])
})

test.serial('course documentation is that of the course, for whoever sees it', async (t) => {
  const [owner, learner, stranger] = [await place().newActor(), await place().newActor(), await place().newActor()]
  const course = await create.course(owner, { visibility: 'enrolled' })
  const other = await create.course(owner)
  const page = await create.document(owner, 'Loops', 'A loop repeats a block until a condition is false.', course)
  await create.document(owner, 'Loops elsewhere', 'A loop repeats a block until a condition is false.', other)
  await create.goal(owner, 'Loops of mine', { courseId: course })
  await place().embedQueued()
  const { records } = place()
  await records.enrollments.create(owner, course, { userId: learner.id })
  const ask = (actor: Actor, scope: string) =>
    run(actor, 'get_course_documentation', { courseId: course, query: 'loop', scope })
  for (const actor of [owner, learner]) {
    t.deepEqual(ids(await ask(actor, 'user')), [page])
    t.deepEqual(ids(await ask(actor, 'course')), [page])
    t.deepEqual(ids(await ask(actor, 'global')), [], 'it is not public')
  }
  t.deepEqual(ids(await ask(stranger, 'user')), [])
  await records.courses.update(owner, course, { visibility: 'public' })
  t.deepEqual(ids(await ask(stranger, 'user')), [page])
  t.deepEqual(ids(await ask(stranger, 'global')), [page])
})

test.serial(
  "a task's context holds the task, its goal, latest code and nearest documents within the budget",
  async (t) => {
    const actor = await place().newActor()
    const course = await create.course(actor)
    const page = await create.document(
      actor,
      'Recursion',
      'A recursive function calls itself on a smaller part. '.repeat(5),
      course
    )
    await create.document(actor, 'Strings', 'Text is a sequence of characters.', course)
    const goal = await create.goal(actor, 'Master recursion', { courseId: course })
    const task = await create.task(
      actor,
      goal,
      'Factorial',
      'Write a recursive function for the factorial. '.repeat(200)
    )
    const snapshots = []
    for (let n = 0; n < 4; n++) snapshots.push(await create.code(actor, 'python', `def f(n): return ${n}`, task))
    await place().embedQueued()
    const before = place().models.calls.length

    const { hits } = await run(actor, 'get_task_context', { taskId: task, maxTokens: 1_000 })
    t.is(place().models.calls.length, before, 'the stored vectors of the task serve')
    t.deepEqual(
      hits.slice(0, 6).map(({ sourceId }) => sourceId),
      [task, goal, snapshots[3], snapshots[2], snapshots[1], page] as string[]
    )
    t.true(hits.reduce((sum, { content }) => sum + estimateTokens(content), 0) <= 1_000)
    t.true(hits.every(({ score }, index) => index === 0 || score <= (hits[index - 1]?.score as number)))
    t.is((await run(actor, 'get_task_context', { taskId: task, limit: 2 })).hits.length, 2)
  }
)

test.serial('the knowledge base filters by type, course, task and language', async (t) => {
  const actor = await place().newActor()
  const german = await create.course(actor, { language: 'de', subject: 'Python' })
  const goal = await create.goal(actor, 'Listen sortieren', { courseId: german })
  const task = await create.task(actor, goal, 'Sortieren', 'Sortiere eine Liste.')
  const code = await create.code(actor, 'Python', 'sorted(liste)', task)
  const page = await create.document(actor, 'Sortierte Listen', 'Das Sortieren einer Liste mit sorted.', german)
  const loose = await create.goal(actor, 'Sort my notes')
  await place().embedQueued()
  const find = async (more: object) =>
    ids(await run(actor, 'search_knowledge_base', { query: 'sortieren sort', ...more })).toSorted()
  t.deepEqual(await find({}), [goal, task, code, page, loose].toSorted())
  t.deepEqual(await find({ types: ['document', 'task'] }), [task, page].toSorted())
  t.deepEqual(await find({ courseId: german }), [goal, task, code, page].toSorted())
  t.deepEqual(await find({ taskId: task }), [task, code].toSorted())
  t.deepEqual(await find({ language: 'de' }), [goal, task, page].toSorted())
  t.deepEqual(await find({ language: 'py' }), [goal, task, code, page].toSorted())
  t.deepEqual(await find({ language: 'en' }), [loose].toSorted())
})

test.serial('a quoted phrase must occur, but when nobody wrote it its words are searched', async (t) => {
  const actor = await place().newActor()
  const goalId = await create.goal(actor, 'Exercises')
  const [share, sort] = [
    await create.task(actor, goalId, 'Share', 'Say who gets the cake: one for you, one for me.'),
    await create.task(actor, goalId, 'Sort', 'Sort the cakes by weight, one after another.')
  ]
  await place().embedQueued()
  const search = (query: string) => run(actor, 'search_knowledge_base', { query, types: ['task'] })
  t.deepEqual(ids(await search('say "gets the cake"')), [share])
  t.deepEqual(ids(await search('say "One for X, one for me."')), [share, sort])
})

test.serial('words are matched in the language of the course', async (t) => {
  const actor = await place().newActor()
  const course = await create.course(actor, { language: 'de' })
  await create.document(actor, 'Eins', 'Die H\u00e4user stehen an der Stra\u00dfe.', course)
  const page = await create.document(actor, 'Zwei', 'Funktionen werden aufgerufen.', course)
  await place().embedQueued()
  const { hits } = await run(actor, 'search_knowledge_base', { query: 'Aufruf einer "Funktion"', courseId: course })
  t.deepEqual(
    hits.map(({ sourceId }) => sourceId),
    [page]
  )
})

test.serial(
  'what an argument names and the caller does not see is a failure of the job, and refused before',
  async (t) => {
    const { rag, newActor, records, context } = place()
    const check = createReferences({ access: records.access, threads: createThreadStore({ knex: context.knex }) })
    const refusal = (person: Actor, input: object) =>
      t.throwsAsync(check(person, actionOf('rag_search').references(input)))
    const [owner, stranger] = [await newActor(), await newActor()]
    const goal = await create.goal(owner, 'Mine alone')
    const task = await create.task(owner, goal, 'Mine too')
    const code = await create.code(owner, 'go', 'package main')
    const course = await create.course(owner)
    for (const [name, input] of [
      ['get_similar_goals', { goalId: goal }],
      ['get_task_context', { taskId: task }],
      ['get_similar_code', { codeSnapshotId: code }]
    ] as const) {
      t.like(await t.throwsAsync(run(stranger, name, input)), { code: 'not_found', retryable: false })
      t.like(await refusal(stranger, input), {
        code: 'invalid',
        extras: { errors: [{ path: Object.keys(input)[0] as string }] }
      })
      await t.notThrowsAsync(check(owner, actionOf('rag_search').references(input)))
    }
    t.like(await refusal(stranger, { courseId: course, goalId: goal }), {
      extras: { errors: [{ path: 'courseId' }, { path: 'goalId' }] }
    })
    t.like(await t.throwsAsync(rag.scopes.for(stranger, { scope: 'course', courseId: course })), { code: 'invalid' })
  }
)
