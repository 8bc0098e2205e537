import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { bulkInputSchema, bulkRecordSchemas, type BulkList } from '../../lib/schemas/bulk.ts'
import { makeBatches, planRecords } from '../../scripts/load/batches.ts'
import { PlainError } from '../../scripts/load/plain-error.ts'
import { createProgressBar } from '../../scripts/load/progress-bar.ts'
import { readFolder } from '../../scripts/load/read-folder.ts'
import { findTarget } from '../../scripts/load/target.ts'

const sampleFolder = fileURLToPath(new URL('../../sample/small-algorithms', import.meta.url))

async function folderWith(t: ExecutionContext, files: Record<string, string | Buffer>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'load-test-'))
  t.teardown(() => rm(folder, { recursive: true }))
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
  return folder
}

const lines = (...records: object[]) => records.map((record) => `${JSON.stringify(record)}\n`).join('')
const course = { id: 'c', title: 'Course', description: 'About', language: 'python' }
const task = { id: 'c/t', course: 'c', title: 'Task', instructions: 'Do' }

test('the sample courses can be read, and every record is one that the API takes', async (t) => {
  const folder = await readFolder(sampleFolder)
  t.deepEqual(
    Object.values(folder).map((list) => list.length),
    [2, 8, 12, 12]
  )
  const [batch, ...more] = makeBatches(planRecords(folder))
  t.deepEqual(more, [])
  const body = bulkInputSchema.parse(batch?.body)
  for (const [list, records] of Object.entries(body)) {
    for (const record of records ?? []) t.true(bulkRecordSchemas[list as BulkList].safeParse(record).success)
  }
})

test('a course becomes a course and a goal, its exercises tasks in their order', async (t) => {
  const folder = await readFolder(
    await folderWith(t, {
      'courses.jsonl': lines(course),
      'tasks.jsonl': lines(task, { ...task, id: 'c/u', title: 'Next' }),
      'code-snapshots.jsonl': lines({ id: 'c/t', task: 'c/t', language: 'python', source: 'x = 1' }),
      'documents.jsonl': lines({ id: 'c/d', course: 'c', title: 'Page', markdown: '# x', extra: 1 })
    })
  )
  t.deepEqual(makeBatches(planRecords(folder))[0]?.body, {
    courses: [{ clientId: 'course:c', title: 'Course', description: 'About', subject: 'python' }],
    goals: [{ clientId: 'goal:c', courseClientId: 'course:c', title: 'Work through Course' }],
    tasks: [
      { clientId: 'task:c/t', goalClientId: 'goal:c', position: 0, title: 'Task', description: 'Do' },
      { clientId: 'task:c/u', goalClientId: 'goal:c', position: 1, title: 'Next', description: 'Do' }
    ],
    codeSnapshots: [{ clientId: 'code:c/t', taskClientId: 'task:c/t', language: 'python', source: 'x = 1' }],
    documents: [{ clientId: 'document:c/d', courseClientId: 'course:c', title: 'Page', markdown: '# x' }]
  })
})

test('what is wrong in a folder is told by file and line, all at once', async (t) => {
  const refuses = async (files: Record<string, string | Buffer>, ...expected: string[]) => {
    const error = await t.throwsAsync(readFolder(await folderWith(t, files)), { instanceOf: PlainError })
    for (const part of expected) t.true(error?.message.includes(part), `${part} in ${error?.message}`)
  }
  await refuses(
    {
      'courses.jsonl': `${lines(course)}\n{"id": "d", "title":\n${lines({ id: 'e' })}`,
      'tasks.jsonl': lines(task, { ...task, course: 3 })
    },
    'courses.jsonl:3  is not JSON',
    'courses.jsonl:4  title: ',
    'tasks.jsonl:2  course: '
  )
  await refuses(
    {
      'courses.jsonl': lines(course, course),
      'tasks.jsonl': lines({ ...task, course: 'x' }),
      'code-snapshots.jsonl': lines({ id: 's', task: 'x', language: 'c', source: '1' })
    },
    'courses.jsonl:2  the id "c" stands in courses.jsonl:1 already',
    'tasks.jsonl:1  the course "x" is not in courses.jsonl',
    'code-snapshots.jsonl:1  the task "x" is not in tasks.jsonl'
  )
  await refuses({ 'tasks.jsonl': lines(task) }, 'courses.jsonl is missing')
  await refuses({ 'courses.jsonl': Buffer.from([0x7b, 0xff, 0x7d]) }, 'courses.jsonl is not UTF-8')
  await refuses({ 'courses.jsonl': '\n' }, 'has no courses')
  await refuses({ 'courses.jsonl': 'x\n'.repeat(50) }, 'courses.jsonl:20  is not JSON', 'and 30 more')
  await t.throwsAsync(readFolder('/nowhere'), { instanceOf: PlainError, message: /not a folder/ })
})

test('calls hold as much as the API takes, and no record before what it refers to', (t) => {
  const folder = {
    courses: [{ ...course, at: 'courses.jsonl:1' }],
    documents: [],
    codeSnapshots: [],
    tasks: Array.from({ length: 1_200 }, (_, n) => ({ ...task, id: `${n}`, at: `tasks.jsonl:${n + 1}` }))
  }
  const batches = makeBatches(planRecords(folder))
  t.deepEqual(
    batches.map(({ count }) => count),
    [500, 500, 202]
  )
  t.is(batches[1]?.lines.tasks?.[0], 'tasks.jsonl:499')

  const long = planRecords({
    ...folder,
    tasks: folder.tasks.slice(0, 30).map((record) => ({ ...record, instructions: 'é'.repeat(500_000) }))
  })
  const bySize = makeBatches(long)
  t.is(bySize.length, 3)
  for (const { body } of bySize) t.true(Buffer.byteLength(JSON.stringify(body)) <= 10 * 1024 * 1024)
})

test('the key of the local instance goes to the local instance only', async (t) => {
  const dataDir = await folderWith(t, {
    'admin.key': 'gk_local\n',
    'services.json': JSON.stringify({ apiUrl: 'http://127.0.0.1:4321' })
  })
  t.deepEqual(await findTarget({}, dataDir), { url: 'http://127.0.0.1:4321', key: 'gk_local' })
  t.deepEqual(await findTarget({ API_URL: 'http://localhost:9/' }, dataDir), {
    url: 'http://localhost:9',
    key: 'gk_local'
  })
  t.deepEqual(await findTarget({ API_KEY: 'gk_mine' }, dataDir), { url: 'http://127.0.0.1:4321', key: 'gk_mine' })
  const elsewhere = { API_URL: 'https://goals.example' }
  await t.throwsAsync(findTarget(elsewhere, dataDir), { instanceOf: PlainError, message: /API_KEY is not set/ })
  t.is((await findTarget({ ...elsewhere, API_KEY: 'k' }, dataDir)).url, 'https://goals.example')
  await t.throwsAsync(findTarget({ API_URL: 'goals' }, dataDir), { message: /not a URL/ })
  await t.throwsAsync(findTarget({}, '/nowhere'), { instanceOf: PlainError, message: /npm start/ })
})

test('progress is one line on a terminal and plain lines elsewhere', (t) => {
  const draw = (isTTY: boolean) => {
    const written: string[] = []
    const bar = createProgressBar({ isTTY, columns: 60, write: (text) => written.push(text) }, 20)
    bar.update(0, 'records')
    bar.update(10, 'records')
    bar.update(10, 'records')
    bar.note('waiting')
    bar.update(20, 'records')
    bar.end()
    return written
  }
  t.deepEqual(draw(false), [' 0/20 records\n', '10/20 records\n', 'waiting\n', '20/20 records\n'])
  const live = draw(true)
  t.is(live.length, 5)
  for (const text of live.slice(0, 4)) t.true(text.startsWith('\r\u001b[2K'))
  t.true(live[1]?.includes(`${'█'.repeat(15)}${'░'.repeat(15)} 10/20 records`))
})
