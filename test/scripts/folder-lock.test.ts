import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { lockFolder } from '../../scripts/start/folder-lock.ts'
import { emptyFolder } from '../helpers/folders.ts'

test('a folder is made and taken once, by whoever comes first, until it is released', async (t) => {
  const folder = join(await emptyFolder(t), 'a', 'b')
  const attempts = await Promise.allSettled([lockFolder(folder), lockFolder(folder)])
  const release = attempts.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  t.is(release.length, 1)
  const error = await t.throwsAsync(lockFolder(folder), { name: 'StartError' })
  t.is(error?.message.split('.')[0], `Process ${process.pid} already runs with DATA_DIR ${folder}`)
  await release[0]?.()
  await (await lockFolder(folder))()
})

test('what a killed launcher left is taken over', async (t) => {
  const folder = await emptyFolder(t)
  const file = join(folder, 'launcher.json')
  for (const left of [{ pid: 2 ** 30, born: '1' }, { pid: process.pid, born: 'earlier' }, 'half a no']) {
    await writeFile(file, JSON.stringify(left))
    const release = await lockFolder(folder)
    t.is((JSON.parse(await readFile(file, 'utf8')) as { pid: number }).pid, process.pid)
    await release()
  }
})

test('a folder that cannot be written is told in one message', async (t) => {
  const folder = await emptyFolder(t)
  await writeFile(join(folder, 'file'), '')
  for (const place of [join(folder, 'file'), join(folder, 'file', 'below'), '/proc/goals']) {
    const error = await t.throwsAsync(lockFolder(place), { name: 'StartError' })
    t.regex(error?.message ?? '', /^DATA_DIR \S+ cannot be written: [^.]+\. Choose another: DATA_DIR=<folder>$/)
  }
})
