import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { JobView } from '../../lib/schemas/job.ts'
import type { Problem } from '../../lib/schemas/problem.ts'
import { PlainError } from './plain-error.ts'
import type { Target } from './target.ts'

export type Client = ReturnType<typeof createClient>

/** Tries of a request whose connection broke or whose server is away, a second and more apart. */
const maxTries = 8
const longestWaitMs = 5 * 60_000

/**
 * Speaks to the REST API as its clients should: waits as long as a 429 or 503 says, and sends what was interrupted
 * again under the same `Idempotency-Key`, so that nothing is done twice.
 * @param onWait told why and how long it waits
 */
export function createClient({
  url,
  key,
  onWait = () => undefined
}: Target & { onWait?: (reason: string, seconds: number) => void }) {
  async function send(method: string, path: string, body: unknown, headers: Record<string, string>) {
    for (let attempt = 1; ; attempt++) {
      const response = await fetch(`${url}/api/v1${path}`, {
        method,
        headers: {
          Authorization: `Bearer ${key}`,
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
          ...headers
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) })
      }).catch((error: unknown) => {
        const last = attempt >= maxTries || isRefused(error)
        if (last) throw new PlainError(`${url} cannot be reached: ${reasonOf(error)}`, { cause: error })
        return undefined
      })
      if (response && response.status !== 429 && response.status !== 503) return response
      const asked = Number(response?.headers.get('retry-after') ?? '')
      const waitMs = asked > 0 ? asked * 1000 : Math.min(1000 * 2 ** (attempt - 1), 30_000)
      if (response && (waitMs > longestWaitMs || (response.status === 503 && attempt >= maxTries))) return response
      const reason = response ? (response.status === 429 ? 'rate limit' : 'service unavailable') : 'connection lost'
      onWait(reason, Math.ceil(waitMs / 1000))
      await response?.body?.cancel()
      await sleep(waitMs)
    }
  }

  async function request<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const response = await send(method, path, body, headers)
    const text = await response.text()
    if (response.ok) return (text === '' ? undefined : JSON.parse(text)) as T
    throw new PlainError(`${method} ${path} was answered ${response.status}: ${problemText(text)}`)
  }

  return {
    get: <T>(path: string): Promise<T> => request<T>('GET', path),
    post: <T>(path: string, body: unknown): Promise<T> => request<T>('POST', path, body),

    /**
     * Submits an AI action and waits for its job to end.
     * @throws PlainError when it fails or is cancelled
     */
    async run(path: string, body: unknown, onProgress: (job: JobView) => void = () => undefined): Promise<JobView> {
      const headers = { 'Idempotency-Key': randomUUID(), Prefer: 'wait=1' }
      let job = await request<JobView>('POST', path, body, headers)
      while (job.status === 'queued' || job.status === 'active') {
        onProgress(job)
        job = await request<JobView>('GET', `/jobs/${job.id}`, undefined, { Prefer: 'wait=2' })
      }
      if (job.status === 'completed') return job
      throw new PlainError(`Job ${job.id} (${job.action}) ${job.status}: ${job.error?.message ?? 'no reason given'}`)
    }
  }
}

function problemText(text: string): string {
  try {
    const { detail, errors = [] } = JSON.parse(text) as Problem
    return [detail, ...errors.slice(0, 5).map(({ path, message }) => `  ${path || 'body'}: ${message}`)].join('\n')
  } catch {
    return text.slice(0, 300) || 'no explanation'
  }
}

const causeOf = (error: unknown): { code?: string; message?: string } =>
  ((error as { cause?: unknown })?.cause as { code?: string } | undefined) ?? (error as { message?: string })

/** Nobody listens there: trying again is for servers that are known to be there. */
const isRefused = (error: unknown): boolean => ['ECONNREFUSED', 'ENOTFOUND'].includes(causeOf(error).code ?? '')

const reasonOf = (error: unknown): string => {
  const { code, message } = causeOf(error)
  return code === 'ECONNREFUSED'
    ? 'nobody listens there. Start it with `npm start`, or set API_URL.'
    : (message ?? code ?? '')
}
