import { Queue } from 'bullmq'
import type { Closers } from '../../scripts/start/closers.ts'
import type { Side } from './compare.ts'
import { countRows } from './count-rows.ts'
import { type Load, openLoad } from './load.ts'
import { makePeople, type Person } from './people.ts'
import type { BenchTools } from './run-bench.ts'
import { openStage, type Stage } from './stage.ts'

/** Everything that benches of submissions share: the services, the load, and how much of it. */
type Submitting = {
  stage: Stage
  load: Load
  connections: number
  seconds: number
  closers: Closers
}

type Table = Record<'connections' | 'seconds', { default: string; about: string }>

export async function openSubmitting({ options, ...tools }: BenchTools<Table>): Promise<Submitting> {
  const stage = await openStage({ ...tools, broker: false })
  return { stage, load: await openLoad(stage), ...options, closers: tools.closers }
}

const body = JSON.stringify({ input: 'a function that calls itself' })

/**
 * Submits for the time of a turn and looks whether as many jobs are there as were answered: at most one more for each
 * connection, whose answer came too late.
 */
async function submit(
  { load, connections, seconds }: Submitting,
  url: string,
  authorizations: string[],
  count: () => Promise<number>
): Promise<number> {
  const before = await count()
  const headers = authorizations.map((authorization) => ({
    'content-type': 'application/json',
    ...(authorization ? { authorization } : {})
  }))
  const includes = '"status":"queued"'
  const answer = await load({ url, method: 'POST', connections, seconds, headers, body, status: 202, includes })
  const added = (await count()) - before
  if (added < answer.right || added > answer.right + connections) {
    throw new Error(`${answer.right} submissions to ${url} were answered, ${added} jobs are there`)
  }
  return answer.right / answer.seconds
}

/** The API itself. @param people whose submissions they are, one connection after the other */
export function submissionsBy(submitting: Submitting, name: string, apiUrl: string, people: Person[]): Side {
  const authorizations = people.map(({ authorization }) => authorization)
  const count = () => countRows(submitting.stage.databaseUrl, 'jobs')
  return { name, turn: () => submit(submitting, `${apiUrl}/api/v1/embeddings`, authorizations, count) }
}

/** The API, with a user for each connection. */
export async function platformApp(submitting: Submitting): Promise<Side> {
  const { stage, connections } = submitting
  const { url } = await stage.startApi()
  return submissionsBy(submitting, 'AI Goals Tracker', url, await makePeople(stage, connections))
}

/** Express and BullMQ. */
export async function bullmqApp(submitting: Submitting): Promise<Side> {
  const { stage, closers } = submitting
  const { url } = await stage.startProgram('baselines/express-bullmq.ts')
  const queue = new Queue('embeddings', { connection: { url: stage.redisUrl } })
  closers.add(() => queue.close())
  const count = () => queue.getWaitingCount()
  return { name: 'Express + BullMQ queue.add', turn: () => submit(submitting, `${url}/embeddings`, [''], count) }
}

/** Express and a queue in PostgreSQL. @param table where its jobs are */
export async function postgresApp(submitting: Submitting, name: string, file: string, table: string): Promise<Side> {
  const { url, databaseUrl } = await submitting.stage.startProgram(file)
  const count = () => countRows(databaseUrl, table)
  return { name, turn: () => submit(submitting, `${url}/embeddings`, [''], count) }
}
