import { setTimeout as delay } from 'node:timers/promises'
import { otherManners } from './manners.ts'
import { pick } from './random.ts'
import { refusals } from './refusals.ts'
import { type ProcessName, processNames, type Stage } from './stage.ts'
import { longestRepairMs, untilQueued } from './waits.ts'

/** One blow, and how long it took until the platform had made good for it. */
export type Blow = { name: string; strike(stage: Stage, storm: Storm): Promise<Struck> }

export type Storm = {
  random: () => number
  /** how long RabbitMQ is away */
  outageMs: number
  /** of the usual time that a service refuses, or the provider answers in other manners */
  share: number
  /** of somebody who looks whether an API that is replaced refuses or breaks off requests */
  token: string
}

export type Struck = {
  repairMs?: number /** requests that were refused or broken off by a replacement */
  broken?: number
}

/** Until no job is left that says it is run by a worker of that name which is gone. */
async function untilTakenOver(stage: Stage, active: { id: string; run: number }[]): Promise<number> {
  const from = performance.now()
  while (performance.now() - from < longestRepairMs) {
    const ids = active.map(({ id }) => id)
    const rows = await stage
      .knex('jobs')
      .whereIn('id', ids)
      .where({ status: 'active' })
      .select('id', 'run')
      .catch(() => undefined)
    const stuck = rows?.some((row) => active.some(({ id, run }) => row.id === id && row.run === run))
    if (rows && !stuck) return performance.now() - from
    await delay(50)
  }
  return longestRepairMs
}

/** Jobs that a worker process runs, by its process id, which ends its name. */
async function activeOf(stage: Stage, pid: number) {
  return (await stage
    .knex('jobs')
    .where({ status: 'active' })
    .where('worker', 'like', `%-${pid}`)
    .select('id', 'run')) as {
    id: string
    run: number
  }[]
}

/** A worker that has something to lose, by its process id, and what it runs. One that is idle for 5 s is hit as it is. */
async function busyWorker(stage: Stage, random: () => number) {
  const name = pick(random, workers)
  const from = performance.now()
  for (;;) {
    const pid = await stage.pidOf(name)
    const active = await activeOf(stage, pid)
    if (active.length > 0 || performance.now() - from > 5_000) return { pid, active }
    await delay(20)
  }
}

/** A process that is being started again after an earlier blow cannot be hit. */
export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Until a process that was told to end has: only then is its service dead and can be started again. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    await delay(50)
  }
}

/**
 * Asks an API again and again, on connections that are kept and on new ones, from when it answers (an earlier blow may
 * have hit it) until told to stop. The pauses leave the processors to those who are replaced.
 */
async function watchApi(url: string, token: string): Promise<{ stop(): Promise<number> }> {
  let broken = 0
  let stopping = false
  const ask = async (connection: string) => {
    const headers = { authorization: `Bearer ${token}`, connection }
    const response = await fetch(`${url}/api/v1/goals?limit=1`, { headers })
    await response.arrayBuffer()
    // 503 is for services that are away, which an earlier blow may have seen to.
    if (!response.ok && response.status !== 503) throw new Error(`answered ${response.status}`)
  }
  while (
    !(await ask('close').then(
      () => true,
      () => false
    ))
  )
    await delay(50)
  const watchers = ['keep-alive', 'keep-alive', 'close'].map(async (connection) => {
    while (!stopping) {
      await ask(connection).catch(() => {
        broken += 1
      })
      await delay(10)
    }
  })
  return {
    async stop() {
      stopping = true
      await Promise.all(watchers)
      return broken
    }
  }
}

const apis = processNames.filter((name) => name.startsWith('api'))
const workers = processNames.filter((name) => name.startsWith('workers'))

export const blows: Blow[] = [
  {
    name: 'kill -9 of a worker',
    async strike(stage, { random }) {
      const { pid, active } = await busyWorker(stage, random)
      kill(pid, 'SIGKILL')
      return { repairMs: await untilTakenOver(stage, active) }
    }
  },
  {
    name: 'kill -9 of an API',
    async strike(stage, { random }) {
      kill(await stage.pidOf(pick(random, apis)), 'SIGKILL')
      return {}
    }
  },
  {
    name: 'FLUSHALL',
    async strike(stage) {
      await stage.redis.flushall()
      return { repairMs: await untilQueued(stage) }
    }
  },
  {
    name: 'worker frozen past its lock',
    async strike(stage, { random }) {
      const { pid, active } = await busyWorker(stage, random)
      kill(pid, 'SIGSTOP')
      const repairMs = await untilTakenOver(stage, active)
      await delay(1_000)
      kill(pid, 'SIGCONT')
      return { repairMs }
    }
  },
  {
    name: 'RabbitMQ killed and away',
    async strike(stage, { outageMs }) {
      const pid = await stage.servicePid('rabbitmq')
      kill(pid, 'SIGKILL')
      await gone(pid)
      await delay(outageMs)
      await stage.revive()
      return {}
    }
  },
  {
    name: 'PostgreSQL restarted',
    async strike(stage) {
      const pid = await stage.servicePid('postgres')
      kill(pid, 'SIGINT')
      await gone(pid)
      await delay(1_000)
      await stage.revive()
      return {}
    }
  },
  {
    name: 'Redis killed, back empty',
    async strike(stage) {
      const pid = await stage.servicePid('redis')
      kill(pid, 'SIGKILL')
      await gone(pid)
      await stage.emptyRedisFolder()
      await stage.revive()
      return { repairMs: await untilQueued(stage) }
    }
  },
  {
    name: 'rolling restart',
    async strike(stage, { random, token }) {
      const [api, order] = random() < 0.5 ? [0, ['api-1', 'workers-1']] : [1, ['workers-2', 'api-2']]
      const watch = await watchApi(stage.apiUrls[api as number] as string, token)
      for (const name of order as ProcessName[]) {
        if (!(await stage.replace(name))) throw new Error(`${name} had to be killed when it was asked to drain`)
      }
      return { broken: await watch.stop() }
    }
  },
  otherManners,
  ...refusals
]
