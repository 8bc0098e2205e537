import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PlainError } from './plain-error.ts'

export type Target = { url: string; key: string }

const defaultUrl = 'http://127.0.0.1:8000'

/**
 * Where to send requests and with which key: `API_URL` and `API_KEY`, else the running local instance. Its key goes
 * nowhere else than to the machine it is on.
 * @param dataDir folder in which the local instance keeps `services.json` and `admin.key`
 * @throws PlainError that says what is missing
 */
export async function findTarget(env: Record<string, string | undefined>, dataDir: string): Promise<Target> {
  const local = await localUrl(dataDir)
  const url = (env.API_URL || local || defaultUrl).replace(/\/+$/, '')
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new PlainError(`API_URL is not a URL that begins with http:// or https://: ${url}`)
  }
  if (env.API_KEY) return { url, key: env.API_KEY }
  const isLocal = url === local || ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(url).hostname)
  if (!isLocal) throw new PlainError(`API_KEY is not set: a key of ${url} is needed.`)
  const key = await readFile(join(dataDir, 'admin.key'), 'utf8').catch(() => undefined)
  if (!key) {
    throw new PlainError(
      `Nothing is known of a local instance: there is no ${join(dataDir, 'admin.key')}.\n` +
        'Start one with `npm start`, or set API_URL and API_KEY.'
    )
  }
  return { url, key: key.trim() }
}

async function localUrl(dataDir: string): Promise<string | undefined> {
  try {
    const { apiUrl } = JSON.parse(await readFile(join(dataDir, 'services.json'), 'utf8')) as { apiUrl?: unknown }
    return typeof apiUrl === 'string' ? apiUrl.replace(/\/+$/, '') : undefined
  } catch {
    return undefined // not running, or elsewhere: the default address or API_URL it is
  }
}
