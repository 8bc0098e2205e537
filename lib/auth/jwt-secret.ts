import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config.ts'

/**
 * The key that signs tokens: `JWT_SECRET`, else one made at random once and kept in `DATA_DIR/jwt.secret` (mode 0600),
 * so that tokens outlive a restart. Of processes that start together the first one's secret holds for all.
 */
export async function jwtSecret({ jwtSecret: given, dataDir }: Pick<Config, 'jwtSecret' | 'dataDir'>): Promise<string> {
  if (given) return given
  const file = join(dataDir, 'jwt.secret')
  await mkdir(dataDir, { recursive: true })
  // Written whole under a name of its own, then linked, so that nobody ever reads half of it.
  const own = `${file}.${randomBytes(6).toString('hex')}`
  try {
    await writeFile(own, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx', flush: true })
    await link(own, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await rm(own, { force: true })
  }
  const secret = (await readFile(file, 'utf8')).trim()
  if (Buffer.byteLength(secret) < 32)
    throw new Error(`${file} holds no secret of 32 bytes: remove it to make a new one`)
  return secret
}
