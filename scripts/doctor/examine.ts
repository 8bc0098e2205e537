import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Config } from '../../lib/config.ts'
import { createOpenAi } from '../../lib/models/client.ts'
import { type Finding, findingsOf, type Report, reportOf } from './findings.ts'
import { examineMachine } from './machine.ts'
import { examinePostgres } from './postgres.ts'
import { examineProvider } from './provider.ts'
import { examineRabbitmq } from './rabbitmq.ts'
import { examineRedis } from './redis.ts'

/** Everything together takes no longer; one answer of the provider half of it. */
const longestMs = 50_000
const answerMs = 25_000
const serviceMs = 20_000

type Addresses = { databaseUrl?: string | undefined; redisUrl?: string | undefined; rabbitmqUrl?: string | undefined }

/** Looks at everything that a configuration names. Nothing is written, and nothing that was found keeps it from going on. */
export async function examine(config: Config): Promise<Report> {
  const { chatModel, embeddingModel, dataDir, redisPrefix: prefix } = config
  const models = { chatModel, embeddingModel }
  const { databaseUrl, redisUrl, rabbitmqUrl } = { ...(await runningServices(dataDir)), ...given(config) }
  const openai = createOpenAi({ apiKey: config.openai.apiKey, baseUrl: config.openai.baseUrl, timeoutMs: answerMs })
  const asked = redisUrl
    ? examineRedis({ url: redisUrl, prefix, baseUrl: openai.baseURL, models: [chatModel, embeddingModel] })
    : undefined
  const redis = asked && inTime(asked, { findings: silent('redis'), learnt: undefined })
  const signal = AbortSignal.timeout(longestMs)
  const areas = await Promise.all([
    config.openai.offline
      ? isOffline()
      : (async () => examineProvider({ openai, models, learnt: (await redis)?.learnt, signal }))(),
    databaseUrl
      ? inTime(examinePostgres({ url: databaseUrl, schema: config.databaseSchema, models }), silent('postgres'))
      : notConfigured('postgres', 'DATABASE_URL'),
    redis ? redis.then(({ findings }) => findings) : notConfigured('redis', 'REDIS_URL'),
    rabbitmqUrl === 'off'
      ? switchedOff()
      : rabbitmqUrl
        ? inTime(examineRabbitmq(rabbitmqUrl), silent('rabbitmq'))
        : notConfigured('rabbitmq', 'RABBITMQ_URL'),
    examineMachine(dataDir)
  ])
  return reportOf(areas.flat())
}

/** What is known by then, of a service that lets us in and says nothing. */
async function inTime<T>(work: Promise<T>, late: T): Promise<T> {
  return await Promise.race([work, delay(serviceMs, late, { ref: false })])
}

function silent(area: Finding['area']): Finding[] {
  const { findings, todo } = findingsOf(area)
  todo(
    'reachable',
    `it did not answer within ${serviceMs / 1_000} s`,
    'Look into its log: it lets us in and says nothing.'
  )
  return findings
}

function given({ databaseUrl, redisUrl, rabbitmqUrl }: Config): Addresses {
  return {
    ...(databaseUrl ? { databaseUrl } : {}),
    ...(redisUrl ? { redisUrl } : {}),
    ...(rabbitmqUrl ? { rabbitmqUrl } : {})
  }
}

/** The private services of an `npm start` that runs. */
async function runningServices(dataDir: string): Promise<Addresses> {
  try {
    const { databaseUrl, redisUrl, rabbitmqUrl } = JSON.parse(
      await readFile(join(dataDir, 'services.json'), 'utf8')
    ) as Record<string, unknown>
    return Object.fromEntries(
      Object.entries({ databaseUrl, redisUrl, rabbitmqUrl }).filter(([, url]) => typeof url === 'string')
    )
  } catch {
    return {} // none runs
  }
}

function notConfigured(area: Finding['area'], variable: string): Finding[] {
  const { findings, ok } = findingsOf(area)
  ok('address', `${variable} is not set: npm start starts one of its own`)
  return findings
}

function switchedOff(): Finding[] {
  const { findings, ok } = findingsOf('rabbitmq')
  ok('address', 'off: events go to sockets and webhooks alone')
  return findings
}

function isOffline(): Finding[] {
  const { findings, ok } = findingsOf('provider')
  ok(
    'address',
    'neither OPENAI_API_KEY nor OPENAI_BASE_URL is set: the offline provider answers, a stand-in for trying out'
  )
  return findings
}
