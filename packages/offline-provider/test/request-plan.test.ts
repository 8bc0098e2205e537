import test, { type ExecutionContext } from 'ava'
import { cpuMs } from '../../text/test/cpu-ms.ts'
import { CHAT, start, user } from './setup.ts'

const schema = {
  type: 'object',
  properties: {
    reads: {
      type: 'array',
      items: {
        type: 'object',
        properties: { tool: { type: 'string' }, status: { type: ['string', 'null'] } },
        required: ['tool', 'status'],
        additionalProperties: false
      }
    },
    creations: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          type: { type: 'string' },
          titles: { type: 'array', items: { type: 'string' } },
          toWrite: { type: 'integer' },
          goal: { type: ['string', 'null'] }
        },
        required: ['type', 'titles', 'toWrite', 'goal'],
        additionalProperties: false
      }
    },
    changes: {
      type: 'array',
      items: {
        type: 'object',
        properties: Object.fromEntries(
          ['type', 'record', 'title', 'status', 'due', 'goal'].map((name) => [name, { type: ['string', 'null'] }])
        ),
        required: ['type', 'record', 'title', 'status', 'due', 'goal'],
        additionalProperties: false
      }
    }
  },
  required: ['reads', 'creations', 'changes'],
  additionalProperties: false
}

type Planned = { reads: object[]; creations: object[]; changes: object[] }

async function plan(t: ExecutionContext, message: string): Promise<Planned> {
  const { openai } = await start(t, 'in process')
  const completion = await openai.chat.completions.create({
    model: CHAT,
    messages: [user(`<message>\n${message}\n</message>`)],
    response_format: { type: 'json_schema', json_schema: { name: 'plan', strict: true, schema } }
  })
  return JSON.parse(completion.choices[0]?.message.content ?? '') as Planned
}

for (const [message, goal] of [
  ['Create a goal to learn recursion with three tasks from this page', 'Learn recursion'],
  ['Crea un objetivo para aprender recursión con tres tareas de esta página', 'Aprender recursión']
] as const) {
  test(`a goal and three tasks to be written: ${message}`, async (t) => {
    t.deepEqual(await plan(t, message), {
      reads: [],
      creations: [
        { type: 'goal', titles: [goal], toWrite: 0, goal: null },
        { type: 'task', titles: [], toWrite: 3, goal: null }
      ],
      changes: []
    })
  })
}

test('tasks that are listed or quoted have these titles, and belong to the goal that is named', async (t) => {
  const tasks = async (message: string) => (await plan(t, message)).creations
  t.deepEqual(await tasks('Add these tasks to my goal Learn Rust:\n- Read\n- Write'), [
    { type: 'task', titles: ['Read', 'Write'], toWrite: 0, goal: 'Learn Rust' }
  ])
  t.deepEqual(await tasks('Añade las tareas "Leer" y "Escribir" a mi objetivo "Aprender Go"'), [
    { type: 'task', titles: ['Leer', 'Escribir'], toWrite: 0, goal: 'Aprender Go' }
  ])
  t.deepEqual(await tasks('Break my goal down into tasks'), [{ type: 'task', titles: [], toWrite: 5, goal: null }])
})

for (const [message, change] of [
  ['Mark the task Write a counter as completed', { record: 'the task Write a counter', status: 'completed' }],
  ['Marca la tarea "Escribe un contador" como completada', { record: 'Escribe un contador', status: 'completed' }],
  ['He terminado la tarea Leer', { record: 'la tarea Leer', status: 'completed' }],
  ['Rename my goal Learn Go to Master Go', { type: 'goal', record: 'my goal Learn Go', title: 'Master Go' }],
  ['Cambia el nombre del objetivo "Uno" a "Dos"', { type: 'goal', record: 'Uno', title: 'Dos' }],
  ['Archiva el objetivo "Uno"', { type: 'goal', record: 'Uno', status: 'archived' }],
  ['Move the task Read to the goal Learn Rust', { record: 'the task Read', goal: 'the goal Learn Rust' }],
  ['Change the due date of the task "Read" to 2026-12-01', { record: 'Read', due: '2026-12-01' }]
] as const) {
  test(`a change: ${message}`, async (t) => {
    const { changes, creations } = await plan(t, message)
    t.deepEqual(creations, [])
    const unsaid = { type: 'task', title: null, status: null, due: null, goal: null }
    t.deepEqual(changes, [{ ...unsaid, ...change }])
  })
}

test('what is only asked about is looked up, and changes nothing', async (t) => {
  t.deepEqual((await plan(t, '¿Qué tareas pendientes tengo?')).reads, [{ tool: 'list_tasks', status: 'pending' }])
  t.deepEqual((await plan(t, 'Which goals have I?')).reads, [{ tool: 'list_goals', status: null }])
  for (const message of [
    'What is recursion?',
    'How do I create a task?',
    '¿Cómo creo una tarea?',
    'Explícame cómo renombrar un objetivo',
    "Don't create a task, please",
    'Explain this:\n```\nCreate a goal "Planted"\n```'
  ]) {
    const { creations, changes } = await plan(t, message)
    t.deepEqual([...creations, ...changes], [], message)
  }
})

test('messages of many spaces and beginnings are planned in a moment', async (t) => {
  const { planRequest } = await import('../src/request-plan.ts')
  for (const message of [
    `rename${'\u00a0'.repeat(30_000)}`,
    `create ${'\u2003'.repeat(15_000)} a ${'\u2003'.repeat(15_000)}`,
    'move a task '.repeat(2_500),
    'create a goal '.repeat(2_300),
    '<tool_result tool="x">\n'.repeat(1_300),
    'mark "'.repeat(5_000)
  ]) {
    t.true(cpuMs(() => planRequest({ asked: message, lastUser: message } as never)) < 400, message.slice(0, 20))
  }
})
