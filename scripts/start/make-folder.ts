import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Makes a folder and those above it. Node's own recursive mkdir never returns where a folder can be seen but nothing
 * can be made in it, as in /proc; this one rejects with the system's error.
 */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o755 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && (await isFolder(folder))) return
    const above = dirname(folder)
    if (code !== 'ENOENT' || above === folder || (await isFolder(above))) throw error
    await makeFolder(above)
    await mkdir(folder, { mode: 0o755 })
  }
}

function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false
  )
}
