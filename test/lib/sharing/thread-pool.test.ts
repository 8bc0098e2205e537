import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { createThreadPool, ThreadFailure, TooComplex } from '../../../lib/sharing/thread-pool.ts'
import { eventually } from '../../helpers/context.ts'
import { emptyFolder } from '../../helpers/folders.ts'
import type { Question } from './thread.ts'

const entry = new URL('./thread.ts', import.meta.url)
const open = (t: { teardown(close: () => Promise<void>): void }, settings: { threads?: number } = {}) => {
  const pool = createThreadPool<Question, unknown>({
    name: 'the test',
    entry,
    threads: 1,
    deadlineMs: 60_000,
    memoryMb: 64,
    ...settings
  })
  t.teardown(pool.close)
  return pool
}

test('questions are answered in their thread, and buffers can move there', async (t) => {
  const pool = open(t)
  const bytes = new TextEncoder().encode('hello')
  t.is(await pool.ask('a', { kind: 'length', bytes: bytes.buffer }, { transfer: [bytes.buffer] }), 5)
  t.is(bytes.byteLength, 0)
})

test('what a thread throws reaches who asked, by name, message and code, and the thread lives on', async (t) => {
  const pool = open(t)
  const error = await t.throwsAsync(pool.ask('a', { kind: 'throw' }), { instanceOf: ThreadFailure, message: 'no' })
  t.is((error as ThreadFailure).code, 'EXAMPLE')
  t.is((error as ThreadFailure).thrown, 'TypeError')
  t.is(await pool.ask('a', { kind: 'length', bytes: new ArrayBuffer(2) }), 2)
})

test('a question without end is ended at the deadline, and the next one is answered', async (t) => {
  const pool = open(t)
  const endless = pool.ask('a', { kind: 'loop' }, { deadlineMs: 1_500 })
  const next = pool.ask('b', { kind: 'length', bytes: new ArrayBuffer(3) })
  const error = await t.throwsAsync(endless, { instanceOf: TooComplex })
  t.is((error as TooComplex).code, 'too_complex')
  t.is(await next, 3)
})

test('a question that wants more memory than a thread has fails alone', async (t) => {
  const pool = open(t)
  await t.throwsAsync(pool.ask('a', { kind: 'fill' }), { instanceOf: TooComplex })
  t.is(await pool.ask('b', { kind: 'length', bytes: new ArrayBuffer(4) }), 4)
})

test('a signal ends a question under way, and closing ends all of them', async (t) => {
  const pool = open(t)
  const stop = new AbortController()
  const stopped = pool.ask('a', { kind: 'loop' }, { signal: stop.signal })
  stop.abort(new Error('stopped'))
  await t.throwsAsync(stopped, { message: 'stopped' })
  const running = pool.ask('a', { kind: 'loop' })
  const waiting = pool.ask('a', { kind: 'loop' })
  const ends = Promise.allSettled([running, waiting])
  await pool.close()
  t.deepEqual(
    (await ends).map(({ status }) => status),
    ['rejected', 'rejected']
  )
})

test('a thread that was ended is replaced before anybody asks again', async (t) => {
  const folder = await emptyFolder(t)
  const [noted, code] = [join(folder, 'starts'), join(folder, 'thread.mjs')]
  await writeFile(
    code,
    `import fs from 'node:fs'\nfs.appendFileSync(${JSON.stringify(noted)}, '|')\nawait import(${JSON.stringify(entry.href)})\n`
  )
  const pool = createThreadPool<Question, unknown>({
    name: 'the test',
    entry: pathToFileURL(code),
    threads: 1,
    deadlineMs: 60_000,
    memoryMb: 64
  })
  t.teardown(pool.close)
  t.is(await pool.ask('a', { kind: 'length', bytes: new ArrayBuffer(1) }), 1)
  await t.throwsAsync(pool.ask('a', { kind: 'loop' }, { deadlineMs: 1_500 }), { instanceOf: TooComplex })
  await eventually(async () => (await readFile(noted, 'utf8')) === '||')
  t.is(await pool.ask('b', { kind: 'length', bytes: new ArrayBuffer(5) }), 5)
  t.is(await readFile(noted, 'utf8'), '||')
})
