import { aptCandidate, aptInstall, aptUpdate } from './apt.ts'
import { buildVector, fetchVectorSource, vectorBuildPackages } from './pgvector.ts'
import { findPostgres } from './programs.ts'
import { startError } from './start-error.ts'

export type Missing = { postgres: boolean; redis: boolean; rabbitmq: boolean; chromium: boolean }

/**
 * Installs what is missing from the system's own packages in one apt call (root on Debian or Ubuntu only: see
 * canInstall). Where the system has no package of pgvector it is built from Debian's source package. Rejects with a
 * StartError that quotes the end of the log.
 */
export async function installMissing(
  missing: Missing,
  path: string,
  logFile: string,
  say: (detail: string) => void
): Promise<void> {
  say('reading package lists')
  await aptUpdate(path, logFile)
  const packages: string[] = []
  if (missing.redis) packages.push('redis-server')
  if (missing.rabbitmq) packages.push('rabbitmq-server')
  if (missing.chromium) packages.push('chromium')

  const builds = missing.postgres ? await planPostgres(packages, path) : false
  const [source] = await Promise.all([
    builds ? fetchVectorSource(path, logFile) : undefined,
    packages.length ? aptInstall(packages, path, logFile, say) : undefined
  ])
  if (!source) return
  const [postgres] = await findPostgres(path)
  if (!postgres) throw startError('PostgreSQL was installed but is not found')
  say('compiling pgvector')
  await buildVector(source, postgres, path, logFile)
}

/** Adds the packages that PostgreSQL with pgvector needs; answers whether pgvector has to be built. */
async function planPostgres(packages: string[], path: string): Promise<boolean> {
  const [present] = await findPostgres(path)
  const major = present?.major ?? Number(/^\d+/.exec((await aptCandidate('postgresql', path)) ?? '')?.[0])
  if (!major) throw startError('this system has no package of PostgreSQL')
  if (!present) packages.push('postgresql')
  const vector = `postgresql-${major}-pgvector`
  if (await aptCandidate(vector, path)) {
    packages.push(vector)
    return false
  }
  packages.push(...vectorBuildPackages)
  return true
}
