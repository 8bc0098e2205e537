import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import test from 'ava'
import { openLog } from '../../scripts/start/log-file.ts'
import { emptyFolder } from '../helpers/folders.ts'

const contents = async (folder: string) => {
  const files = (await readdir(folder)).toSorted((a, b) => a.localeCompare(b))
  return new Map(
    await Promise.all(files.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const))
  )
}

test('a log is rotated while it is written, and no line of any writer is lost or torn', async (t) => {
  const folder = await emptyFolder(t)
  const log = openLog(join(folder, 'x.log'), { rotateBytes: 1_000 })
  const writers = [new PassThrough(), new PassThrough()]
  const said = Promise.all(writers.map((writer) => log.collect(writer)))
  const expected: string[] = []
  for (let n = 0; n < 120; n++) {
    const line = `${n} ${'é'.repeat(n % 20)}`
    expected.push(line)
    const bytes = Buffer.from(`${line}\n`)
    const half = Math.floor(bytes.length / 2)
    const writer = writers[n % 2] as PassThrough
    writer.write(bytes.subarray(0, half))
    await new Promise((resolve) => setImmediate(resolve))
    writer.write(bytes.subarray(half))
  }
  for (const writer of writers) writer.end('the last words')
  await said
  log.close()
  const files = await contents(folder)
  const lines = [...files.values()].flatMap((text) => text.split('\n').filter(Boolean))
  const sorted = (all: string[]) => all.toSorted((a, b) => a.localeCompare(b))
  t.deepEqual(sorted(lines), sorted([...expected, 'the last words', 'the last words']))
  t.true(files.size > 2)
  for (const [name, text] of files) t.true(Buffer.byteLength(text) <= 1_000, name)
})

test('at most four older parts are kept, the newest first', async (t) => {
  const folder = await emptyFolder(t)
  const file = join(folder, 'x.log')
  const log = openLog(file, { rotateBytes: 100 })
  const writer = new PassThrough()
  const said = log.collect(writer)
  for (let n = 0; n < 20; n++) writer.write(`${String(n).padStart(2, '0')} ${'x'.repeat(60)}\n`)
  writer.end()
  await said
  log.close()
  const starts = [...(await contents(folder))].map(([name, text]) => [name, text.slice(0, 2)])
  t.deepEqual(starts, [
    ['x.log', '19'],
    ['x.log.1', '18'],
    ['x.log.2', '17'],
    ['x.log.3', '16'],
    ['x.log.4', '15']
  ])
})

test('a log that is opened again is gone on with, and its tail is what came since', async (t) => {
  const folder = await emptyFolder(t)
  const file = join(folder, 'x.log')
  for (const text of ['before\n', 'after\n    at nowhere (x.ts:1:1)\n\nlast\n']) {
    const log = openLog(file)
    const mark = log.mark()
    const writer = new PassThrough()
    const said = log.collect(writer)
    writer.end(text)
    await said
    t.is(await log.tail(mark, 5), text === 'before\n' ? 'before' : 'after\nlast')
    log.close()
  }
  t.is((await contents(folder)).get('x.log'), 'before\nafter\n    at nowhere (x.ts:1:1)\n\nlast\n')
})
