import { mkdir, rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { connect } from 'amqplib'
import { rabbitmqctl } from '../services/rabbitmqctl.ts'
import { withPostgres } from '../services/postgres-client.ts'
import type { Blow } from './faults.ts'
import type { Stage } from './stage.ts'
import { untilQueued } from './waits.ts'

/** How long a service answers and refuses: long enough that work in flight ends, and meets the refusal. */
const refusedMs = 6_000

/** Services that are there, answer, and take no writes. */
export const refusals: Blow[] = [
  {
    name: 'PostgreSQL read-only',
    async strike(stage, { share }) {
      // As on a server that was replaced in a failover: every session finds its next transaction read-only.
      const readOnly = (value: 'on' | 'off') =>
        withPostgres(stage.urls.databaseUrl, async (client) => {
          await client.query(`alter system set default_transaction_read_only = ${value}`)
          await client.query('select pg_reload_conf()')
        })
      await readOnly('on')
      await delay(refusedMs * share)
      await readOnly('off')
      return { repairMs: await untilQueued(stage) }
    }
  },
  {
    name: 'Redis cannot save (MISCONF)',
    async strike(stage, { share }) {
      // A folder where the snapshot should be renamed to: saving fails, also for root.
      const inTheWay = stage.snapshotFile
      await mkdir(inTheWay, { recursive: true })
      try {
        await stage.redis.config('SET', 'save', '3600 1000000')
        await stage.redis.bgsave()
        await untilRefused(stage)
        await delay(refusedMs * share)
      } finally {
        await stage.redis.config('SET', 'save', '')
        await rm(inTheWay, { recursive: true })
      }
      return { repairMs: await untilQueued(stage) }
    }
  },
  redisSetting('Redis without its replicas (NOREPLICAS)', 'min-replicas-to-write', '1', '0'),
  redisSetting('Redis out of memory (OOM)', 'maxmemory', '1', '0'),
  {
    name: 'a foreign broker queue that rejects',
    async strike(stage, { share }) {
      const connection = await connect(stage.urls.rabbitmqUrl)
      connection.on('error', () => undefined)
      const channel = await connection.createChannel()
      const { queue } = await channel.assertQueue('', {
        exclusive: true,
        maxLength: 1,
        arguments: { 'x-overflow': 'reject-publish' }
      })
      await channel.bindQueue(queue, 'goals.events', '#')
      await delay(refusedMs * share)
      await connection.close()
      return {}
    }
  },
  {
    name: 'RabbitMQ short of memory',
    async strike(stage, { share }) {
      const watermark = (share: string) =>
        rabbitmqctl(stage.rabbitmqFolder, process.env.PATH ?? '', ['set_vm_memory_high_watermark', share])
      await watermark('0')
      await delay(refusedMs * share)
      await watermark('0.6')
      return {}
    }
  }
]

function redisSetting(name: string, setting: string, refusing: string, usual: string): Blow {
  return {
    name,
    async strike(stage, { share }) {
      await stage.redis.config('SET', setting, refusing)
      await delay(refusedMs * share)
      await stage.redis.config('SET', setting, usual)
      return { repairMs: await untilQueued(stage) }
    }
  }
}

/** Until the failed snapshot has its effect, at most 10 s. */
async function untilRefused({ redis }: Stage): Promise<void> {
  for (let look = 0; look < 100; look++) {
    const refused = await redis.set('chaos', '1', 'EX', 1).then(
      () => false,
      () => true
    )
    if (refused) return
    await delay(100)
  }
  throw new Error('Redis took writes although it could not save')
}
