import { glob, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'

const patterns = ['test/**/*.test.ts', 'packages/*/test/**/*.test.ts']

/** Whoever imports this, at any distance, uses PostgreSQL, Redis or RabbitMQ. */
const services = 'test/helpers/services.ts'

/**
 * These run by themselves: they start processes or a server for each test, measure time or memory, or change what a
 * process has only once.
 */
const apart = [
  'test/e2e/',
  'test/lib/admin/audits.',
  'test/lib/gate/decision-reader.',
  'test/lib/gate/degraded.',
  'test/lib/gate/flood.',
  'test/lib/gate/gate.',
  'test/lib/gate/take.property.',
  'test/lib/log-lines.',
  'test/lib/models/manners.',
  'test/lib/rag/chunk-pool.',
  'test/lib/rag/chunker.',
  'test/lib/rag/leaks.',
  'test/scripts/compose.',
  'test/scripts/daemon.',
  'test/scripts/doctor.',
  'test/scripts/load.',
  'test/scripts/provider.',
  'test/scripts/services-up.',
  'test/scripts/start.',
  'test/scripts/supervisor.',
  'test/text/',
  'test/workers/agents/long-answer.',
  'test/workers/processors/chat-completion',
  'test/workers/processors/manners.'
]

/** Lines of test code that share a process, whose tests run at the same time: fewer where all of them use services. */
const mostLines = { pure: 700, services: 450 }

export type TestFile = { path: string; lines: number; usesServices: boolean }

/**
 * Puts neighbouring test files together for one process to run: starting a process and loading what a test needs takes
 * longer than most tests do. What computes is kept from what waits for services, whose connections it would let wait.
 * @param files paths are relative to the root, with slashes
 * @returns groups of paths; one that runs by itself is a group of one
 */
export function groupTests(files: TestFile[], most = mostLines): string[][] {
  const isAlone = ({ path, usesServices }: TestFile) =>
    apart.some((part) => path.startsWith(part)) || (usesServices && path.startsWith('test/api/'))
  const together = files.filter((file) => !isAlone(file)).toSorted((one, other) => (one.path < other.path ? -1 : 1))
  return [
    ...files.filter(isAlone).map(({ path }) => [path]),
    ...fill(
      together.filter(({ usesServices }) => !usesServices),
      most.pure
    ),
    ...fill(
      together.filter(({ usesServices }) => usesServices),
      most.services
    )
  ]
}

function fill(files: TestFile[], most: number): string[][] {
  const groups: string[][] = []
  let left = 0
  for (const { path, lines } of files) {
    const group = groups.at(-1)
    if (group && lines <= left) group.push(path)
    else {
      groups.push([path])
      left = most
    }
    left -= lines
  }
  return groups
}

/**
 * Writes a file for each group of the project's test files, which imports them.
 * @param folder is emptied first
 * @returns what ava is to run, relative to the root
 */
export async function writeGroups(root: string, folder: string): Promise<string[]> {
  const readText = remembered((path) => readFile(join(root, path), 'utf8'))
  const files: TestFile[] = []
  for await (const found of glob(patterns, { cwd: root, exclude: (name) => name === 'node_modules' })) {
    const path = found.split(sep).join('/')
    const lines = (await readText(path)).split('\n').length
    files.push({ path, lines, usesServices: await reaches(path, services, readText) })
  }
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  return await Promise.all(
    groupTests(files).map(async (group, n) => {
      const [first = ''] = group
      if (group.length === 1) return first
      const file = join(folder, `${dirname(first).replaceAll('/', '-')}-${n}.test.ts`)
      const fromHere = (path: string) => relative(folder, join(root, path)).split(sep).join('/')
      await writeFile(file, group.map((path) => `import '${fromHere(path)}'\n`).join(''))
      return relative(root, file).split(sep).join('/')
    })
  )
}

/** Whether a file imports another one of the project, or a file that does; types do not count. */
async function reaches(from: string, to: string, readText: (path: string) => Promise<string>): Promise<boolean> {
  const seen = new Set([from])
  for (const path of seen) {
    if (path === to) return true
    const text = await readText(path)
    for (const [, what = '', name = ''] of text.matchAll(/^(?:import|export)\s([^'"]*?)\sfrom '(\.[^']+\.ts)'/gm)) {
      if (!what.startsWith('type ')) seen.add(join(dirname(path), name).split(sep).join('/'))
    }
  }
  return false
}

function remembered(read: (path: string) => Promise<string>): (path: string) => Promise<string> {
  const known = new Map<string, Promise<string>>()
  return (path) => {
    const text = known.get(path) ?? read(path)
    known.set(path, text)
    return text
  }
}
