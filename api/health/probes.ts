import type { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Knex } from 'knex'
import type { ModelState } from '../../lib/models/provider-guard.ts'
import { createHealthCheckStore } from '../../lib/store/operations/health-checks.ts'
import type { FailingWork } from '../../lib/store/operations/background-work.ts'
import type { RelayLag } from '../../lib/store/events/relay.ts'
import { createBrokerProbe } from './broker-probe.ts'
import type { Probe, ProbeResult } from './health.ts'
import { backgroundResult, relayResult } from './work-probe.ts'
import { databaseProbe, redisProbe } from './write-probes.ts'

type Needs = {
  knex: Knex
  redis: Pick<Redis, 'set' | 'get'>
  prefix: string
  queues: Queue[]
  /** workers heard of lately, and which queues they serve */
  liveWorkers: () => Promise<{ id: string; queues: string[] }[]>
  /** `off` when the instance runs without a broker */
  rabbitmqUrl: string
  /** how each model in use stands with its provider, as the workers found it */
  modelStates: () => Promise<Record<string, ModelState>>
  /** how far the log got out */
  relayLag: () => Promise<RelayLag>
  /** what of the work beside the jobs fails */
  failingWork: () => Promise<FailingWork[]>
  /** how much was put aside, by kind */
  countDeadLetters: () => Promise<Record<string, number>>
}

/** By which service each component is seen that is none itself. */
export const restsOn = {
  workers: 'postgres',
  relay: 'postgres',
  background: 'postgres',
  queues: 'redis',
  models: 'redis'
}

const databaseMs = 1_500

/** The components every instance has: services are asked to do what the work asks of them. `close` lets go of the broker. */
export function createProbes({
  knex,
  redis,
  prefix,
  queues,
  liveWorkers,
  rabbitmqUrl,
  modelStates,
  relayLag,
  failingWork,
  countDeadLetters
}: Needs): {
  probes: Record<'postgres' | 'redis' | 'rabbitmq' | 'workers' | 'queues' | 'models' | 'relay' | 'background', Probe>
  close: () => Promise<void>
} {
  const broker = createBrokerProbe({ url: rabbitmqUrl })
  const probes = {
    postgres: databaseProbe(createHealthCheckStore({ knex, timeoutMs: databaseMs })),
    redis: redisProbe({ redis, prefix }),
    rabbitmq: broker.probe,
    async workers(): Promise<ProbeResult> {
      const workers = await liveWorkers()
      const unserved = queues.map(({ name }) => name).filter((name) => !workers.some((it) => it.queues.includes(name)))
      const state = workers.length === 0 ? 'down' : unserved.length > 0 ? 'degraded' : 'ok'
      return { state, count: workers.length, ...(unserved.length > 0 ? { unserved } : {}) }
    },
    async models(): Promise<ProbeResult> {
      const models = await modelStates()
      const waiting = Object.values(models).some(({ state }) => state !== 'closed')
      return { state: waiting ? 'degraded' : 'ok', models }
    },
    async relay(): Promise<ProbeResult> {
      return relayResult(await relayLag())
    },
    async background(): Promise<ProbeResult> {
      return backgroundResult(...(await Promise.all([failingWork(), countDeadLetters()])))
    },
    async queues(): Promise<ProbeResult> {
      return { state: 'ok', jobs: await countJobs(queues) }
    }
  }
  return { probes, close: broker.close }
}

const states = ['waiting', 'prioritized', 'active', 'delayed', 'failed'] as const

/** Depth of each queue by BullMQ's states; those with a priority wait like the others. */
export async function countJobs(queues: Queue[]): Promise<Record<string, Record<string, number>>> {
  const counts = await Promise.all(
    queues.map(async (queue) => {
      const { prioritized = 0, ...others } = await queue.getJobCounts(...states)
      return [queue.name, { ...others, waiting: (others.waiting ?? 0) + prioritized }] as const
    })
  )
  return Object.fromEntries(counts)
}
