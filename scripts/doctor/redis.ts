import { Redis } from 'ioredis'
import { readDialect } from '../../lib/models/dialect.ts'
import { readModelState } from '../../lib/models/provider-guard.ts'
import { compareClocks } from './clock.ts'
import { type Finding, findingsOf, placeOf, reasonOf } from './findings.ts'

/** What the workers have found out about the provider's models, as it is kept in Redis. */
export type Learnt = Record<string, { refused: string[]; state: string; retryAfterMs: number }>

/** Looks at Redis, and at what workers have learnt of these models. */
export async function examineRedis({
  url,
  prefix,
  baseUrl,
  models
}: {
  url: string
  prefix: string
  baseUrl: string
  models: string[]
}): Promise<{ findings: Finding[]; learnt: Learnt | undefined }> {
  const findings = findingsOf('redis')
  const { ok, todo, unknown } = findings
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: 5_000,
    commandTimeout: 5_000,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null
  })
  let failure: Error | undefined
  redis.on('error', (error: Error) => {
    failure = error // "Connection is closed." alone would not say why
  })
  let learnt: Learnt | undefined
  try {
    const askedAt = Date.now()
    const [seconds = 0, micros = 0] = (await redis.time()).map(Number)
    const now = Date.now()
    ok('reachable', placeOf(url))
    const info = infoOf(await redis.info())
    const version = info['valkey_version'] ? `Valkey ${info['valkey_version']}` : `Redis ${info['redis_version']}`
    const [major = 0, minor = 0] = (info['redis_version'] ?? '').split('.').map(Number)
    if (major > 6 || (major === 6 && minor >= 2)) ok('version', version)
    else todo('version', version, 'Redis 6.2 or newer, or Valkey, is needed: upgrade it.')
    policy(info)
    persistence(info)
    if (info['role'] === 'slave') todo('writes', 'it is a replica', 'REDIS_URL must lead to the primary.')
    else ok('writes', 'it takes them')
    compareClocks(findings, 'Redis', seconds * 1_000 + micros / 1_000, askedAt, now)
    learnt = Object.fromEntries(
      await Promise.all(
        models.map(async (model) => [
          model,
          {
            refused: await readDialect(redis, prefix, baseUrl, model),
            ...(await readModelState(redis, prefix, model))
          }
        ])
      )
    ) as Learnt
  } catch (error) {
    todo(
      'reachable',
      `${placeOf(url)}: ${reasonOf(failure ?? error)}`,
      'Start Redis, or set REDIS_URL to one that answers.'
    )
  } finally {
    redis.disconnect()
  }
  return { findings: findings.findings, learnt }

  /** A queue that loses keys loses jobs until they are found missing (BullMQ's guide, "Going to production"). */
  function policy(info: Record<string, string>): void {
    const found = info['maxmemory_policy']
    if (found === undefined) unknown('eviction', 'it does not say')
    else if (found === 'noeviction') ok('eviction', found)
    else todo('eviction', found, 'Set maxmemory-policy to noeviction: what is evicted is queues and counts.')
  }

  function persistence(info: Record<string, string>): void {
    const appends = info['aof_enabled'] === '1'
    if (appends && info['aof_last_write_status'] === 'err') {
      return todo('persistence', 'its last append failed', 'Give Redis disk to write to; its log says why.')
    }
    if (info['rdb_last_bgsave_status'] === 'err') {
      return todo('persistence', 'its last snapshot failed', 'Give Redis disk and memory to save; its log says why.')
    }
    // Jobs are in the database: without persistence a restart costs counts of limits and texts of running chats.
    ok('persistence', appends ? 'appends to a file' : 'snapshots at most; jobs are in the database and come back')
  }
}

function infoOf(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split(/\r?\n/).flatMap((line) => {
      const at = line.indexOf(':')
      return at > 0 ? [[line.slice(0, at), line.slice(at + 1)]] : []
    })
  ) as Record<string, string>
}
