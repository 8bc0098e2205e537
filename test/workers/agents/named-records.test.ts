import test, { type ExecutionContext } from 'ava'
import type { ChatInput } from '../../../lib/schemas/chat.ts'
import { type ChatStage, chatForFile, planned } from '../../helpers/chat.ts'

const { context, stage: newStage } = chatForFile(test)

const tasksOf = {
  'Work through JavaScript': ['Killer Sudoku Helper', 'Two-Fer', 'Leap', 'Zipper'],
  'Learn cooking': ['Boil an egg', 'Leap Year Cake']
}

/** Two goals with their tasks. */
async function learner(tasks: Record<string, string[]> = tasksOf) {
  const stage = await newStage()
  const { records, person } = stage
  await records.run(async (trx) => {
    for (const [goalTitle, titles] of Object.entries(tasks)) {
      const goal = await records.goals.create(trx, person, { title: goalTitle, status: 'active' })
      for (const title of titles) await records.tasks.create(trx, person, { goalId: goal.id, title, status: 'pending' })
    }
  })
  return stage
}

/** What is there, in words that compare. */
async function recordsOf({ userId }: ChatStage): Promise<string[]> {
  const { knex } = context()
  const goals = await knex('goals').where({ user_id: userId }).orderBy('id')
  const tasks = await knex('tasks').where({ user_id: userId }).orderBy('id')
  const titleOf = new Map(goals.map(({ id, title }) => [id, title]))
  return [
    ...goals.map(({ title, status }) => `goal ${title}: ${status}`),
    ...tasks.map(({ title, status, goal_id: goalId }) => `${titleOf.get(goalId)} / ${title}: ${status}`)
  ]
}

/** What a message takes away and adds, and what it is answered. */
async function ask(stage: ChatStage, input: Partial<ChatInput> & { message: string }) {
  const before = await recordsOf(stage)
  const { result } = await stage.ask({ agent: 'planner', allowWrites: true, ...input })
  const after = await recordsOf(stage)
  return {
    answer: result.message.content,
    gone: before.filter((line) => !after.includes(line)),
    come: after.filter((line) => !before.includes(line)),
    changes: result.changes
  }
}

const js = (title: string, status = 'pending') => `Work through JavaScript / ${title}: ${status}`
const cook = (title: string, status = 'pending') => `Learn cooking / ${title}: ${status}`

const done: [message: string, gone: string[], come: string[], says: string | RegExp][] = [
  [
    'Mark the task Two Fer as done',
    [js('Two-Fer')],
    [js('Two-Fer', 'completed')],
    'Marked the task “Two-Fer” as completed.'
  ],
  ['mark task "TWO-FER" as completed!', [js('Two-Fer')], [js('Two-Fer', 'completed')], /“Two-Fer”/],
  ['Please tick off the twofer task', [js('Two-Fer')], [js('Two-Fer', 'completed')], /“Two-Fer”/],
  [
    'Marca la tarea «two fer» como hecha',
    [js('Two-Fer')],
    [js('Two-Fer', 'completed')],
    'Completado: la tarea “Two-Fer”.'
  ],
  ['I finished the task Leap', [js('Leap')], [js('Leap', 'completed')], /“Leap” as completed/],
  [
    'Mark the task Leap Year Cake as done',
    [cook('Leap Year Cake')],
    [cook('Leap Year Cake', 'completed')],
    /“Leap Year Cake” as completed/
  ],
  [
    'Mark Leap and Zipper as done',
    [js('Leap'), js('Zipper')],
    [js('Leap', 'completed'), js('Zipper', 'completed')],
    /“Leap” as completed[^]*“Zipper” as completed/
  ],
  ['Rename the task Zipper to Zip', [js('Zipper')], [js('Zip')], 'Renamed the task “Zipper” to “Zip”.'],
  [
    'Renombra la tarea "Zipper" a "Cremallera"',
    [js('Zipper')],
    [js('Cremallera')],
    /“Zipper” se llama ahora “Cremallera”/
  ],
  [
    'Rename Learn cooking to Cook',
    ['goal Learn cooking: active', cook('Boil an egg'), cook('Leap Year Cake')],
    ['goal Cook: active', 'Cook / Boil an egg: pending', 'Cook / Leap Year Cake: pending'],
    'Renamed the goal “Learn cooking” to “Cook”.'
  ],
  [
    'Mark the task Leap as in progress and rename Zipper to Zip',
    [js('Leap'), js('Zipper')],
    [js('Leap', 'in_progress'), js('Zip')],
    /“Leap”: status in_progress[^]*“Zipper” to “Zip”/
  ],
  [
    'Move the task Boil an egg to the goal Work through JavaScript',
    [cook('Boil an egg')],
    [js('Boil an egg')],
    /“Boil an egg”: moved to the goal “Work through JavaScript”/
  ],
  [
    'Add a task "Bake bread" to my goal Learn cooking',
    [],
    [cook('Bake bread')],
    'Created the task “Bake bread” in the goal “Learn cooking”.'
  ],
  [
    'Add a task Bake bread to my goal Learn cooking',
    [],
    [cook('Bake bread')],
    /“Bake bread” in the goal “Learn cooking”/
  ],
  [
    'Añade la tarea "Hornear pan" a mi objetivo "Learn cooking"',
    [],
    [cook('Hornear pan')],
    /“Hornear pan” en el objetivo/
  ],
  [
    'Add a task Bake bread to my goal Learn cooking and a task Hamming to my goal Work through JavaScript',
    [],
    [cook('Bake bread'), js('Hamming')],
    /“Bake bread” in the goal “Learn cooking”[^]*“Hamming” in the goal “Work through JavaScript”/
  ]
]

for (const [message, gone, come, says] of done) {
  test(`done as it is said: ${message}`, async (t) => {
    const result = await ask(await learner(), { message })
    t.deepEqual(result.gone.toSorted(), gone.toSorted())
    t.deepEqual(result.come.toSorted(), come.toSorted())
    if (typeof says === 'string') t.is(result.answer, says)
    else t.regex(result.answer, says)
  })
}

const asked: [message: string, answer: RegExp][] = [
  ['Mark the task Two Fur as done', /no task called “Two Fur”\. Which task do you mean: “Two-Fer”\?/],
  ['Mark the task Baking as done', /You have no task called/],
  ['Mark the task Leap Second as done', /no task called “Leap Second”/],
  ['Mark the task Leap 2 as done', /no task called/],
  ['Marca la tarea Hornear como hecha', /No tienes ninguna tarea con el nombre “Hornear”/],
  ['Rename the task Zip Code to Zip', /no task called/],
  ['Mark my task as done', /Which task do you mean\?/],
  ['Add a task "Bake bread" to my goal Learn baking', /no goal called “Learn baking”[^]*“Learn cooking”/]
]

for (const [message, answer] of asked) {
  test(`asked back, and nothing changed: ${message}`, async (t) => {
    const result = await ask(await learner(), { message })
    t.deepEqual([...result.gone, ...result.come, ...result.changes], [])
    t.regex(result.answer, answer)
    t.regex(result.answer, /Nothing was saved or changed\.|No se guardó ni se cambió nada\./)
  })
}

test('a title that two goals have is asked about with both goals, and meant with its own', async (t) => {
  const twice = { Python: ['Leap', 'Read'], Ruby: ['Leap', 'Write'] }
  const result = await ask(await learner(twice), { message: 'Mark the task Leap as done' })
  t.deepEqual(result.changes, [])
  t.regex(result.answer, /Which task do you mean: “Leap” \(“Ruby”\) or “Leap” \(“Python”\)\?/)
  const meant = await ask(await learner(twice), { message: 'Mark the task Leap in my goal Ruby as done' })
  t.deepEqual(meant.come, ['Ruby / Leap: completed'])
})

test('titles that differ in signs or case alone are told apart', async (t) => {
  const alike = { Languages: ['Learn C', 'Learn C++', 'Learn C#', 'read', 'Read'] }
  for (const title of ['Learn C', 'Learn C++', 'Learn C#', 'read', 'Read']) {
    const { come } = await ask(await learner(alike), { message: `Mark the task "${title}" as done` })
    t.deepEqual(come, [`Languages / ${title}: completed`])
  }
})

test('a plan is saved as the goal and the tasks that it is of', async (t) => {
  for (const [message, goal] of [
    ['Make a plan for learning Rust and save it as a goal with tasks', 'Learn Rust'],
    ['Haz un plan para aprender Rust y guárdalo como objetivo con tareas', 'Aprender Rust']
  ] as const) {
    const { gone, come, changes, answer } = await ask(await learner(), { message })
    t.deepEqual(gone, [])
    t.is(come[0], `goal ${goal}: active`)
    t.is(come.length, 6)
    t.true(come.slice(1).every((line) => line.startsWith(`${goal} / `)))
    t.deepEqual(
      changes.map(({ type }) => type),
      ['goal', 'task', 'task', 'task', 'task', 'task']
    )
    for (const { title } of changes) t.true(answer.includes(`“${title}”`), title)
  }
})

test('a plan whose subject was said before is saved, too', async (t) => {
  const stage = await learner()
  const { result } = await stage.ask({ agent: 'planner', message: 'Make a plan for learning Rust' })
  const { come, answer } = await ask(stage, {
    message: 'Make a plan and save it as a goal with tasks',
    threadId: result.threadId
  })
  t.is(come.length, 6)
  t.regex(come[0] ?? '', /^goal .*Rust/)
  t.regex(answer, /Created the goal “.*Rust”/)
})

test('without leave it is said that nothing was saved', async (t) => {
  for (const message of [
    'Make a plan for learning Rust and save it as a goal with tasks',
    'Mark the task Leap as done'
  ]) {
    const { answer, changes } = await ask(await learner(), { message, allowWrites: false })
    t.deepEqual(changes, [])
    t.regex(answer, /Nothing was saved or changed: that has to be allowed/)
  }
})

const wrong: [why: string, message: string, change: Partial<Parameters<typeof planned.change>[0]>][] = [
  ['names another', 'Mark the task Two Fer as done', { record: 'Leap' }],
  ['names none', 'Mark the task Two Fer as done', { record: null }],
  ['names a part of a longer name', 'Mark the task Leap Second as done', { record: 'Leap' }],
  ['names a part of what is quoted', 'Mark "Leap of faith" as done', { record: 'Leap' }],
  ['names a part of another title', 'Mark the task leap year cake as done', { record: 'leap' }]
]

for (const [why, message, change] of wrong) {
  test(`a model whose plan ${why} changes nothing, and says nothing of having done it`, async (t) => {
    const stage = await learner()
    stage.plan({ changes: [planned.change({ type: 'task', status: 'completed', ...change })] })
    stage.answer({ content: 'Done! I have marked the task as completed. Well done [1].' })
    const result = await ask(stage, { message })
    t.deepEqual([...result.gone, ...result.changes], [])
    t.regex(result.answer, /^Which task do you mean|^You have no task called/)
    t.regex(result.answer, /Nothing was saved or changed\./)
    t.notRegex(result.answer, /I have marked|Done!/)
  })
}

async function idOf(t: ExecutionContext, { userId }: ChatStage, title: string): Promise<string> {
  const row = await context().knex('tasks').where({ user_id: userId, title }).first()
  t.truthy(row, title)
  return row.id
}

test('an id and a title have to be the same record’s, and the id the message’s', async (t) => {
  const stage = await learner()
  const [leap, zipper] = [await idOf(t, stage, 'Leap'), await idOf(t, stage, 'Zipper')]
  for (const [id, record, message, title] of [
    [leap, 'Zipper', `Mark task ${leap} Zipper as done`, undefined],
    [leap, null, 'Mark the task Zipper as done', undefined],
    [null, `${leap} Zipper`, `Mark task ${leap} Zipper as done`, undefined],
    [zipper, 'zipper', `Mark task ${zipper} as done`, 'Zipper'],
    [null, leap, `Mark task ${leap} as done`, 'Leap']
  ] as const) {
    stage.plan({ changes: [planned.change({ type: 'task', status: 'completed', id, record })] })
    const { changes, answer } = await ask(stage, { message })
    t.deepEqual(
      changes.map((change) => change.title),
      title === undefined ? [] : [title]
    )
    if (title === undefined) t.regex(answer, /Which task do you mean|You have no task/)
    else t.is(answer, `Marked the task “${title}” as completed.`)
  }
})

test('the task that is looked at is not changed by a message that names another', async (t) => {
  const stage = await learner()
  const taskId = await idOf(t, stage, 'Leap')
  for (const message of [
    'Mark the task "Baking" as done',
    'Mark the task Two-Fer as done',
    'Mark Boil an egg as done'
  ]) {
    stage.plan({ changes: [planned.change({ type: 'task', status: 'completed' })] })
    t.deepEqual((await ask(stage, { message, taskId })).changes, [], message)
  }
  const { come } = await ask(stage, { message: 'This is done, mark it as completed', taskId })
  t.deepEqual(come, [js('Leap', 'completed')])
})

test('an answer that claims what no plan asked for is followed by what is so', async (t) => {
  const stage = await learner()
  stage.plan({})
  stage.answer({ content: 'I have renamed the task for you.' })
  const { answer, changes } = await ask(stage, { message: 'Zipper is a silly name.' })
  t.deepEqual(changes, [])
  t.is(answer, 'I have renamed the task for you.\n\nNothing was saved or changed.')
})

test('what else a message asks is answered behind what was done', async (t) => {
  const stage = await learner()
  stage.answer({ content: 'I marked it. A leap year has 366 days. The task has been completed!' })
  const { answer } = await ask(stage, { message: 'Mark the task Leap as done. How long is a leap year?' })
  t.is(answer, 'Marked the task “Leap” as completed.\n\nA leap year has 366 days.')
})
