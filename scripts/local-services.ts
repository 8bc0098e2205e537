import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Addresses of the services that a running `npm start` keeps, as variables: for commands that were given none.
 * Empty when nothing runs there.
 */
export async function localServices(dataDir: string): Promise<Record<string, string>> {
  try {
    const kept = JSON.parse(await readFile(join(dataDir, 'services.json'), 'utf8')) as Record<string, unknown>
    const found = { DATABASE_URL: kept.databaseUrl, REDIS_URL: kept.redisUrl }
    return Object.fromEntries(
      Object.entries(found).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
    )
  } catch {
    return {} // not running, or elsewhere: what is missing is said
  }
}
