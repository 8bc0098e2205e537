import type { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import { defineScript } from '../redis/script.ts'

/**
 * The priority that every job in a line has for BullMQ (its highest number, served last): what is waiting under it has
 * no place yet, also when its delay is over or it was given back. The place itself is the score in BullMQ's sorted set.
 */
export const noPlaceYet = 2_097_151

/** How far a flow moves on with each of its jobs: the platform's work for a person has a quarter of a person's share. */
const personStep = 1
const systemStep = 4
/** The most people's shares that the accounts of one address have together: a class notices, a farm of accounts has no more. */
const groupShare = 4

const placedAtOnce = 500
/** One more than there can be places' holders at the front. */
const lookedAt = 50
/** Between two calls that give places on behalf of who adds or takes: what comes in a burst shares one. */
const placeEveryMs = 20

export type FairLine = {
  /**
   * Gives every job that has none a place. Calls at the same time share one; a failure is made up for by the next call,
   * whoever makes it: until then the jobs wait behind those that have a place.
   */
  place(): Promise<void>
  /** As `place`: at once, or a few milliseconds after the last time. To be called when a job was added or taken. */
  placeSoon(): void
  /** Puts a job that BullMQ took back behind those whose turn has come. */
  putBack(jobId: string): Promise<void>
  /** Owners of the jobs that are served next, each once. */
  nextOwners(): Promise<string[]>
  close(): Promise<void>
}

/**
 * Start-time fair queueing for one BullMQ queue (P. Goyal, H. Vin, H. Cheng, SIGCOMM 1996): each person's jobs are a
 * flow, a job's tag is the later of virtual time and the end of the flow's job before it, and the lowest tag is served
 * first. So a person's thousandth job waits behind everybody else's first, and nobody saves up turns by being idle. The
 * more accounts of one address wait, the further each job moves its flow on: together they have what a few people have.
 * Tags are whole numbers below 2^53, where the priorities of BullMQ begin for what has no place: at a million jobs a
 * second they last for longer than a century.
 */
export function createFairLine({ redis, queue }: { redis: Redis; queue: Queue }): FairLine {
  const placeJobs = defineScript<number>(redis, new URL('./fair-place.lua', import.meta.url))
  const putJobBack = defineScript<null>(redis, new URL('./fair-put-back.lua', import.meta.url))
  const waitingOwners = defineScript<string[]>(redis, new URL('./fair-waiting.lua', import.meta.url))
  const jobKeys = queue.toKey('')
  const [line, wait, delayed] = [queue.toKey('prioritized'), queue.toKey('wait'), queue.toKey('delayed')]
  const [ends, state, groups] = [queue.toKey('fair-ends'), queue.toKey('fair-state'), queue.toKey('fair-group:')]

  let current: Promise<void> | undefined
  let next: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let lastAt = 0

  async function placeAll(): Promise<void> {
    let placed: number
    do {
      placed = await placeJobs([line, ends, state], [jobKeys, placedAtOnce, personStep, systemStep, groups, groupShare])
    } while (placed === placedAtOnce)
  }

  /** One at a time: who comes while one runs shares the next. */
  function place(): Promise<void> {
    if (current) {
      next ??= current.then(() => {
        next = undefined
        return place()
      })
      return next
    }
    current = placeAll()
      .catch(() => {
        // the next call places these too
      })
      .finally(() => {
        current = undefined
      })
    return current
  }

  return {
    place,
    placeSoon() {
      if (timer) return
      const waitMs = lastAt + placeEveryMs - performance.now()
      const go = () => {
        timer = undefined
        lastAt = performance.now()
        void place()
      }
      if (waitMs <= 0) go()
      else timer = setTimeout(go, waitMs)
    },
    async putBack(jobId) {
      await putJobBack([line, state], [jobId])
    },
    async nextOwners() {
      return [...new Set(await waitingOwners([wait, line, delayed], [jobKeys, Date.now(), lookedAt]))]
    },
    async close() {
      if (timer) {
        clearTimeout(timer)
        await place()
      }
      await (next ?? current)
    }
  }
}
