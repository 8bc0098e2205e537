import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { groupTests, writeGroups } from '../../scripts/test/groups.ts'

const file = (path: string, lines: number, usesServices = false) => ({ path, lines, usesServices })
const most = { pure: 80, services: 50 }

test('neighbours share a process up to so many lines, in the order of their paths', (t) => {
  const files = [file('test/lib/c.test.ts', 30), file('test/lib/a.test.ts', 40), file('test/lib/b.test.ts', 40)]
  t.deepEqual(groupTests(files, most), [['test/lib/a.test.ts', 'test/lib/b.test.ts'], ['test/lib/c.test.ts']])
})

test('what uses services shares with its like, and fewer lines of it', (t) => {
  const files = [
    file('test/lib/a.test.ts', 20),
    file('test/lib/b.test.ts', 20, true),
    file('test/lib/c.test.ts', 20),
    file('test/lib/d.test.ts', 20, true),
    file('test/lib/e.test.ts', 20, true)
  ]
  t.deepEqual(groupTests(files, most), [
    ['test/lib/a.test.ts', 'test/lib/c.test.ts'],
    ['test/lib/b.test.ts', 'test/lib/d.test.ts'],
    ['test/lib/e.test.ts']
  ])
})

test('a file longer than that, and one that must run by itself, share with nobody', (t) => {
  const files = [
    file('test/e2e/chaos.test.ts', 1),
    file('test/api/auth.test.ts', 1, true),
    file('test/lib/a.test.ts', 1),
    file('test/lib/b.test.ts', 900),
    file('test/lib/c.test.ts', 1)
  ]
  t.deepEqual(
    groupTests(files, most),
    files.map(({ path }) => [path])
  )
})

test('every test file is run once: as it is, or by the file of its group', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'goals-groups-'))
  t.teardown(() => rm(root, { recursive: true }))
  for (const folder of ['test/lib', 'test/helpers']) await mkdir(join(root, folder), { recursive: true })
  await mkdir(join(root, 'packages/one/test'), { recursive: true })
  await mkdir(join(root, 'groups'))
  await writeFile(join(root, 'groups/old.test.ts'), '')
  const texts = {
    'packages/one/test/a.test.ts': '',
    'test/helpers/services.ts': '',
    'test/helpers/context.ts': "import { one } from './services.ts'\n",
    'test/lib/a.test.ts': "import type { One } from '../helpers/services.ts'\n",
    'test/lib/b.test.ts': "import {\n  one,\n  two\n} from '../helpers/context.ts'\n",
    'test/lib/log-lines.test.ts': ''
  }
  for (const [path, text] of Object.entries(texts)) await writeFile(join(root, path), text)

  const [alone, group, ...others] = await writeGroups(root, join(root, 'groups'))
  t.is(alone, 'test/lib/log-lines.test.ts')
  t.deepEqual(others, ['test/lib/b.test.ts'])
  t.is(
    await readFile(join(root, group ?? ''), 'utf8'),
    "import '../packages/one/test/a.test.ts'\nimport '../test/lib/a.test.ts'\n"
  )
  await t.throwsAsync(readFile(join(root, 'groups/old.test.ts')), { code: 'ENOENT' })
})
