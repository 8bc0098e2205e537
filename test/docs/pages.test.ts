import { access, glob, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (file: string) => readFile(join(root, file), 'utf8')

async function pages(): Promise<string[]> {
  const places = ['*.md', 'docs/**/*.md', 'sample/**/*.md', '{api,workers,lib,packages,scripts,test,bench}/**/*.md']
  const found: string[] = []
  for await (const file of glob(places, { cwd: root, exclude: (name) => name === 'node_modules' })) found.push(file)
  return found.toSorted()
}

/** Text without what only looks like a link or heading. */
const withoutCode = (text: string) => text.replace(/^```[\s\S]*?^```$/gm, '').replace(/`[^`\n]*`/g, '`')

/** The name that a heading gets as an anchor: GitHub's rule. */
const anchor = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-')

test('links within the documentation lead somewhere', async (t) => {
  const files = await pages()
  t.true(files.includes('README.md') && files.includes('docs/README.md'))
  for (const file of files) {
    const text = withoutCode(await read(file))
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      const [path = '', fragment] = target.split('#')
      const linked = path === '' ? file : join(dirname(file), path)
      await t.notThrowsAsync(access(join(root, linked)), `${file} links to ${target}`)
      if (fragment === undefined || !linked.endsWith('.md')) continue
      const headings = (await read(linked)).replace(/^```[\s\S]*?^```$/gm, '').matchAll(/^#+ (.+)$/gm)
      const anchors = [...headings].map(([, heading = '']) => anchor(heading))
      t.true(anchors.includes(fragment), `${file} links to ${target}`)
    }
  }
})

test('the index of the documentation names every page', async (t) => {
  const index = await read('docs/README.md')
  for (const file of await pages()) {
    if (file.startsWith('docs/') && file !== 'docs/README.md') t.true(index.includes(`](${file.slice(5)})`), file)
  }
})

test('the README names every command, and only commands that are there', async (t) => {
  const readme = await read('README.md')
  const { scripts } = JSON.parse(await read('package.json')) as { scripts: Record<string, string> }
  const table = /^## Commands$([\s\S]*?)^## /m.exec(readme)?.[1] ?? ''
  const commands = [...table.matchAll(/`(?:npm )?([a-z][a-z:-]*)(?: [^`]*)?`/g)].map(([, name = '']) => name)
  for (const name of Object.keys(scripts)) t.true(commands.includes(name), `npm run ${name}`)
  for (const [, name = ''] of readme.matchAll(/`npm run ([a-z:-]+)/g)) t.true(name in scripts, `npm run ${name}`)
})

test('files that the documentation names by path are there', async (t) => {
  for (const file of ['README.md', 'CONTRIBUTING.md', 'docs/architecture.md', 'docs/reliability.md']) {
    for (const [, path = ''] of (await read(file)).matchAll(
      /`((?:api|workers|lib|packages|scripts|migrations|bench)\/[\w./-]+)`/g
    )) {
      await t.notThrowsAsync(access(join(root, path)), `${file} names ${path}`)
    }
  }
})

test('migrations are numbered, and none imports another', async (t) => {
  for await (const file of glob('migrations/*.ts', { cwd: root })) {
    t.regex(file, /\/\d{3}_[a-z_]+\.ts$/)
    t.notRegex(await read(file), /from '\.\/\d/, file)
  }
})
