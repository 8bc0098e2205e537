import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { aptEnv } from './apt.ts'
import type { PostgresProgram } from './programs.ts'
import { runOrFail } from './run-command.ts'
import { startError } from './start-error.ts'

/** A Debian release whose source package of pgvector compiles against PostgreSQL 15 and later. */
const sourceSuite = 'trixie'

/** What must be installed before buildVector: a compiler and the tool that unpacks source packages. */
export const vectorBuildPackages = ['gcc', 'libc6-dev', 'dpkg-dev', 'xz-utils']

export type VectorSource = { folder: string; remove: () => Promise<void> }

/**
 * Downloads pgvector's source package with sources, lists and cache of its own, so that those of the machine stay
 * as they are. Signatures are checked as for any package.
 */
export async function fetchVectorSource(path: string, logFile: string): Promise<VectorSource> {
  const folder = await mkdtemp(join(tmpdir(), 'pgvector-'))
  const remove = () => rm(folder, { recursive: true, force: true })
  try {
    const { uri, signedBy } = await debianMirror()
    for (const name of ['parts', 'lists/partial', 'cache/archives/partial']) {
      await mkdir(join(folder, name), { recursive: true })
    }
    const source = `Types: deb-src\nURIs: ${uri}\nSuites: ${sourceSuite}\nComponents: main\nSigned-By: ${signedBy}\n`
    await writeFile(join(folder, 'parts', 'pgvector.sources'), source)
    const own = [
      `Dir::Etc::sourcelist=${folder}/none`,
      `Dir::Etc::sourceparts=${folder}/parts`,
      `Dir::State::lists=${folder}/lists`,
      `Dir::Cache=${folder}/cache`,
      'Acquire::Languages=none',
      // The unprivileged download user may not enter this folder; root downloads, signatures are checked all the same.
      'APT::Sandbox::User=root'
    ].flatMap((option) => ['-o', option])
    const options = { cwd: folder, logFile, env: aptEnv(path) }
    await runOrFail('apt-get', ['-q', ...own, 'update'], options)
    await runOrFail('apt-get', ['-q', ...own, '--download-only', 'source', 'pgvector'], options)
    return { folder, remove }
  } catch (error) {
    await remove()
    throw error
  }
}

/** Compiles the downloaded source against the headers of this PostgreSQL and puts the extension beside its others. */
export async function buildVector(source: VectorSource, postgres: PostgresProgram, path: string, logFile: string) {
  const { folder } = source
  const options = { cwd: folder, logFile, env: aptEnv(path) }
  try {
    const description = (await readdir(folder)).find((name) => name.endsWith('.dsc'))
    if (!description) throw startError(`no source package of pgvector arrived (see ${logFile})`)
    await runOrFail('dpkg-source', ['--no-check', '-x', description, 'source'], options)
    const headers = await unpackHeaders(postgres, folder, options)
    const sources = (await readdir(join(folder, 'source', 'src'))).filter((name) => name.endsWith('.c'))
    await Promise.all(
      sources.map((name) => {
        const optimise = ['-O2', '-ftree-vectorize', '-fassociative-math', '-fno-signed-zeros', '-fno-trapping-math']
        const language = ['-std=gnu99', '-fPIC', '-fno-strict-aliasing', '-fwrapv', '-D_GNU_SOURCE']
        const file = join('source', 'src', name)
        return runOrFail('gcc', [...optimise, ...language, ...headers, '-c', file, '-o', `${name}.o`], options)
      })
    )
    await runOrFail('gcc', ['-shared', '-o', 'vector.so', ...sources.map((name) => `${name}.o`), '-lm'], options)

    const control = await readFile(join(folder, 'source', 'vector.control'), 'utf8')
    const version = /default_version = '([^']+)'/.exec(control)?.[1]
    const extensions = join(postgres.shareDir, 'extension')
    await cp(join(folder, 'vector.so'), join(postgres.libDir, 'vector.so'))
    await cp(join(folder, 'source', 'sql', 'vector.sql'), join(extensions, `vector--${version}.sql`))
    await cp(join(folder, 'source', 'vector.control'), join(extensions, 'vector.control'))
  } finally {
    await source.remove()
  }
}

/** The header package is unpacked, not installed: installed it would bring a second compiler with it. */
async function unpackHeaders(
  postgres: PostgresProgram,
  folder: string,
  options: { cwd: string; logFile: string; env: Record<string, string> }
): Promise<string[]> {
  const name = `postgresql-server-dev-${postgres.major}`
  await runOrFail('apt-get', ['-q', '-o', 'APT::Sandbox::User=root', 'download', name], options)
  const file = (await readdir(folder)).find((entry) => entry.startsWith(name) && entry.endsWith('.deb'))
  if (!file) throw startError(`no package ${name} arrived (see ${options.logFile})`)
  await runOrFail('dpkg-deb', ['-x', file, 'headers'], options)
  const include = join(folder, 'headers', 'usr', 'include', 'postgresql', String(postgres.major), 'server')
  return [`-I${include}`, `-I${join(folder, 'source', 'src')}`]
}

/** The machine's own way to Debian's archive, read from its sources in either of their two formats. */
async function debianMirror(): Promise<{ uri: string; signedBy: string }> {
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'
  const folder = '/etc/apt/sources.list.d'
  const names = await readdir(folder).catch(() => [])
  const files = ['/etc/apt/sources.list', ...names.map((name) => join(folder, name))]
  for (const file of files.filter((name) => /\.(list|sources)$/.test(name))) {
    const text = await readFile(file, 'utf8').catch(() => '')
    const uris = [...text.matchAll(/^(?:URIs:\s*|deb\s+(?:\[[^\]]*\]\s+)?)(\S+)/gm)].map((match) => match[1] ?? '')
    const uri = uris.find((each) => /\/debian\/?$/.test(each))
    if (uri) return { uri, signedBy: keyring }
  }
  throw startError('pgvector is no package of this system and its sources name no Debian archive to build it from')
}
