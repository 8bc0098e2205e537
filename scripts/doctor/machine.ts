import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Finding, findingsOf, reasonOf } from './findings.ts'

const leastFreeBytes = 1024 ** 3

/** Looks at the disk under the folder for data, which need not be there yet. */
export async function examineMachine(dataDir: string): Promise<Finding[]> {
  const { findings, ok, todo, unknown } = findingsOf('machine')
  ok('Node.js', process.versions.node)
  try {
    const { bavail, bsize } = await statfsAbove(dataDir)
    const free = Number(bavail) * Number(bsize)
    const found = `${(free / 1024 ** 3).toFixed(1)} GiB free for DATA_DIR`
    if (free >= leastFreeBytes) ok('disk', found)
    else todo('disk', found, 'Free at least 1 GiB: a database that cannot write stops everything.')
  } catch (error) {
    unknown('disk', reasonOf(error))
  }
  return findings
}

async function statfsAbove(folder: string): ReturnType<typeof statfs> {
  try {
    return await statfs(folder)
  } catch (error) {
    if (dirname(folder) === folder) throw error
    return await statfsAbove(dirname(folder))
  }
}
