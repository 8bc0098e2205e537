import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { Child } from './suite/child.ts'
import { openLoad } from './suite/load.ts'
import { makePeople, type Person } from './suite/people.ts'
import { runBench } from './suite/run-bench.ts'
import { openStage } from './suite/stage.ts'
import { median } from './suite/statistics.ts'

await runBench({
  name: 'start',
  about: `How long API and worker take from their launch until they are ready, with a compile cache as npm start gives them, and
how much memory they hold (resident set) five seconds later; the API's also after many requests. Beside them Express's
hello world and BullMQ's hello worker.`,
  options: {
    requests: { default: '100000', about: 'requests after which the API is looked at again' },
    settle: { default: '5', about: 'seconds until memory is looked at' }
  },
  async measure({ run, options: { requests, settle, rounds }, ...tools }) {
    const stage = await openStage(tools)
    const memory = new Map<string, number[]>()
    const side = (name: string, start: () => Promise<Child>) => ({
      name,
      async turn() {
        const child = await start()
        await delay(settle * 1_000)
        memory.set(name, [...(memory.get(name) ?? []), await residentMb(child.pid)])
        await child.stop()
        return child.readyAfterMs
      }
    })
    const cache = { NODE_COMPILE_CACHE: stage.compileCache }
    const launches = {
      title: 'Ready after launch',
      unit: 'ms',
      better: 'less',
      // What ours must keep is a time of its own: see below.
      mustReach: Number.POSITIVE_INFINITY,
      aim: Number.POSITIVE_INFINITY
    } as const
    const api = await run({
      ...launches,
      ours: side('API', () => stage.startApi()),
      others: [side('Express hello', () => stage.startProgram('baselines/express-hello.ts', cache))]
    })
    const workers = await run({
      ...launches,
      ours: side('Worker', () => stage.startWorkers()),
      others: [side('BullMQ hello worker', () => stage.startProgram('baselines/bullmq-worker.ts', cache))]
    })
    const idle = (name: string) => median((memory.get(name) ?? []).slice(-rounds))
    for (const name of memory.keys()) tools.say(`${name}: ${idle(name).toFixed(0)} MB when idle`)

    const { url, pid } = await stage.startApi()
    const [{ authorization }] = (await makePeople(stage, 1)) as [Person]
    const load = await openLoad(stage)
    let answered = 0
    while (answered < requests) {
      const order = { connections: 64, seconds: 10, headers: [{ authorization }], status: 200, includes: '"' }
      answered += (await load({ url: `${url}/api/v1/goals`, method: 'GET', ...order })).right
      tools.say(`  ${answered} of ${requests} requests, ${(await residentMb(pid)).toFixed(0)} MB`)
    }
    return {
      comparisons: [],
      checks: [
        { title: 'API ready after launch', unit: 'ms', value: api.ours.median, atMost: 1_000 },
        { title: 'Worker ready after launch', unit: 'ms', value: workers.ours.median, atMost: 1_200 },
        { title: 'API, idle', unit: 'MB', value: idle('API'), atMost: 150 },
        { title: `API after ${requests} requests`, unit: 'MB', value: await residentMb(pid), atMost: 220 },
        { title: 'Worker, idle, before the first chat', unit: 'MB', value: idle('Worker'), atMost: 180 }
      ]
    }
  }
})

/** Resident set in MB (2^20 bytes), from `/proc` (proc(5)): on Linux only. */
async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1_024
}
