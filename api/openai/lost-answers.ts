import type { Redis } from 'ioredis'
import { newId } from '../../lib/ids.ts'
import type { JobStore } from '../../lib/store/jobs/jobs.ts'
import { within } from '../../lib/time/deadline.ts'

/** For how long a client may still ask for an answer that got lost: far longer than it tries again by itself. */
const lostForMs = 30 * 60_000
/** How long a request waits for a Redis that does not answer. */
const patienceMs = 500

/**
 * Clients of OpenAI's API try again by themselves, and send no key by which a repetition could be known; they only mark
 * it. Such a repetition is joined to the job that its first request made, so that nothing is paid for twice. Which jobs
 * an equal request made is in PostgreSQL; that an answer was delivered is remembered in Redis, without which an answer
 * may be given twice, and no job is made twice.
 */
export type LostAnswers = {
  /** The newest job of an equal request whose answer was not delivered. */
  find(userId: string, requestHash: string): Promise<string | undefined>
  /** Says that the answer of a job was sent. */
  delivered(jobId: string): void
  /** Says that a request waits for the job of an earlier one. @returns what it is known by */
  join(jobId: string): Promise<string>
  /** Whether another request waits for the job since. @param joinedAs what the asking one is known by, if it joined */
  isWantedByOthers(jobId: string, joinedAs: string | undefined): Promise<boolean>
}

export function createLostAnswers({
  redis,
  prefix,
  jobs
}: {
  redis: Redis
  prefix: string
  jobs: Pick<JobStore, 'ofSameRequest'>
}): LostAnswers {
  const deliveredKey = (jobId: string) => `${prefix}:openai:delivered:${jobId}`
  const waitingKey = (jobId: string) => `${prefix}:openai:waiting:${jobId}`
  const patiently = async <T>(command: Promise<T>): Promise<T | undefined> =>
    await within(command, patienceMs).catch(() => undefined)

  return {
    async find(userId, requestHash) {
      const ids = await jobs.ofSameRequest(userId, requestHash, lostForMs)
      if (ids.length === 0) return undefined
      const delivered = (await patiently(redis.mget(ids.map(deliveredKey)))) ?? []
      return ids.find((_, at) => !delivered[at])
    },
    delivered(jobId) {
      void patiently(redis.set(deliveredKey(jobId), '1', 'PX', lostForMs))
    },
    async join(jobId) {
      const joinedAs = newId()
      await patiently(redis.set(waitingKey(jobId), joinedAs, 'PX', lostForMs))
      return joinedAs
    },
    async isWantedByOthers(jobId, joinedAs) {
      const last = await patiently(redis.get(waitingKey(jobId)))
      return typeof last === 'string' && last !== joinedAs
    }
  }
}
