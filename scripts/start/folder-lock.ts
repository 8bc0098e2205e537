import { link, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { identify, readLiving } from '../services/process-identity.ts'
import { startError } from '../services/start-error.ts'
import { makeFolder } from './make-folder.ts'

const reasons: Record<string, string> = {
  EACCES: 'this user may not',
  EPERM: 'the system forbids it',
  EROFS: 'that disk is read-only',
  ENOSPC: 'that disk is full',
  ENOTDIR: 'a part of that path is a file',
  EEXIST: 'a file has that name',
  ENOENT: 'nothing can be made there'
}

/**
 * Makes the folder and takes it for this process, so that two launchers never run services on the same data. Resolves
 * with the release. A StartError says who has it, or why nothing can be written there; what a killed launcher left
 * is taken over.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const file = join(folder, 'launcher.json')
  const own = join(folder, `launcher.${process.pid}.json`)
  try {
    await makeFolder(folder)
    await writeFile(own, `${JSON.stringify(await identify(process.pid))}\n`, { mode: 0o600 })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? ''
    throw startError(
      `DATA_DIR ${folder} cannot be written: ${reasons[code] ?? code}. Choose another: DATA_DIR=<folder>`,
      error
    )
  }
  try {
    if (!(await takeOver(own, file))) {
      const living = await readLiving(file)
      if (living) {
        throw startError(
          `Process ${living.pid} already runs with DATA_DIR ${folder}. Stop it first, or choose another: DATA_DIR=<folder>`
        )
      }
      await rm(file, { force: true })
      if (!(await takeOver(own, file))) throw startError(`Another start took DATA_DIR ${folder} at this moment.`)
    }
  } finally {
    await rm(own, { force: true })
  }
  return () => rm(file, { force: true })
}

/** A hard link appears whole or not at all, so nobody reads a half-written note. */
async function takeOver(own: string, file: string): Promise<boolean> {
  try {
    await link(own, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}
