import type { Knex } from 'knex'
import type { Actor } from '../access/actor.ts'
import { createCombined } from '../batches/combine.ts'
import type { Budgets } from '../budgets/budgets.ts'
import { AppError } from '../errors/app-error.ts'
import { newId } from '../ids.ts'
import type { Logger } from '../logger.ts'
import type { Queues } from '../queues/queues.ts'
import { type AiAction, actionOf } from '../actions/actions.ts'
import type { JobView } from '../schemas/job.ts'
import type { SourceType } from '../schemas/sources.ts'
import type { AdmissionOutcome, AdmissionRow, AdmissionStore } from '../store/jobs/admissions.ts'
import type { JobStore } from '../store/jobs/jobs.ts'
import type { Transaction } from '../store/transaction.ts'
import { JsonText } from '../text/json-text.ts'
import { createRemembered } from '../time/remembered.ts'

export type Admission = {
  actor: Pick<Actor, 'id'>
  action: AiAction
  input: unknown
  idempotency?: { key: string; requestHash: string } | undefined
  /** id and time of the gate's decision: they travel with the job to its audit row */
  decision?: { id: string; at: Date } | undefined
  threadId?: string | undefined
  retryOf?: string | undefined
  /** a job of the platform itself: its budget is reserved when it starts. Absent: a user's */
  origin?: 'user' | 'system' | undefined
  /** the record whose vectors it makes; another queued job for it is enough */
  source?: { type: SourceType; id: string } | undefined
}

/** How long an answer waits for BullMQ to take the job: the row is committed, so the reconciler would add it anyway. */
const addPatienceMs = 250
/** A record that is being edited is embedded when it has been still for this long, so that many edits cost one job. */
const embeddingDelayMs = 2_000
/** What one statement admits at most: an input of the usual size is a few hundred bytes. */
const admittedAtOnce = { rows: 128, bytes: 1024 * 1024 }
/** While one statement waits for the disk the next one is carried out. */
const lanes = 2
/** For how long somebody is taken for a person with a budget: wrong, it costs a look at a price. */
const limitedForMs = 60_000

export function createAdmission({
  store,
  admissions,
  queues,
  transaction,
  budgets,
  maxAttempts,
  log
}: {
  store: JobStore
  admissions: AdmissionStore
  queues: Queues
  transaction: Transaction
  budgets: Budgets
  /** of actions that do not have their own number */
  maxAttempts: number
  log: Logger
}) {
  const attemptsOf = (action: AiAction): number => {
    const { attempts } = actionOf(action)
    return attempts === 'configured' ? maxAttempts : attempts
  }
  let adding = true
  const limited = createRemembered<string, true>({ forMs: limitedForMs, most: 10_000 })

  const insert = createCombined<AdmissionRow, AdmissionOutcome>({
    run: async (rows) => (await admissions.admit(rows)).map((value) => ({ value })),
    lanes,
    ...admittedAtOnce,
    bytesOf: ({ input }) => input.length
  })

  /** Commits the row, reserving what it may cost where its user has a budget. */
  async function commit(row: Omit<AdmissionRow, 'input'>, input: unknown): Promise<AdmissionOutcome> {
    const reserve = async () => await budgets.estimate({ action: row.action, input })
    const large = input instanceof JsonText ? input : undefined
    const asked: AdmissionRow = { ...row, input: large ? '' : JSON.stringify(input) }
    if (row.origin === 'user' && limited.get(row.userId)) asked.reservePico = await reserve()
    for (;;) {
      const outcome = large
        ? await transaction.transact((trx) => admissions.admitLarge(trx, asked, large))
        : await insert(asked)
      if (outcome.state === 'unsized') {
        limited.set(row.userId, true)
        asked.reservePico = await reserve()
      } else if (outcome.state === 'unopened') await admissions.openUsage(row.userId)
      else if (outcome.state !== 'undecided') return outcome
    }
  }

  async function enqueue(
    action: AiAction,
    id: string,
    as: { owner: string; origin: 'user' | 'system' }
  ): Promise<void> {
    const add = queues.add(action, id, as).then(
      () => {
        adding = true
      },
      (error: unknown) => {
        // Once, not for each job of an outage.
        if (adding)
          log.warn({ jobId: id, action, err: error }, 'jobs cannot be added to their queues, the reconciler will')
        adding = false
      }
    )
    await Promise.race([add, new Promise((resolve) => setTimeout(resolve, addPatienceMs).unref())])
  }

  async function replayOf(userId: string, { key, requestHash }: { key: string; requestHash: string }) {
    const earlier = await store.findByIdempotencyKey(userId, key)
    if (!earlier) return undefined
    if (earlier.requestHash !== requestHash) {
      throw new AppError('idempotency_mismatch', 'this Idempotency-Key was used with another request')
    }
    return await store.find(earlier.id)
  }

  return {
    /** The job that an earlier, equal request with this key made. @throws AppError 422 when that request was another */
    replayOf,

    /**
     * Commits the job's row, then adds it to its queue. When it returns, the job is accepted: it survives the loss of
     * any process and of everything in Redis.
     * @throws AppError 429 when the user's budget has no room for the job, 409 when a job for the source waits already
     */
    async admit({
      actor,
      action,
      input,
      origin = 'user',
      ...rest
    }: Admission): Promise<{ job: JobView; replayed: boolean }> {
      const id = newId()
      const outcome = await commit(
        { id, userId: actor.id, action, origin, maxAttempts: attemptsOf(action), ...rest },
        input
      )
      if (outcome.state === 'accepted') {
        await enqueue(action, id, { owner: actor.id, origin })
        return { job: outcome.job, replayed: false }
      }
      if (rest.idempotency) {
        const earlier = await replayOf(actor.id, rest.idempotency)
        if (earlier) return { job: earlier, replayed: true }
      }
      if (outcome.state === 'refused') throw await budgets.refusal(actor.id)
      if (rest.source) throw new AppError('conflict', 'a newer job for the same record waits already')
      throw new Error('the job row was not inserted')
    },

    /**
     * Queues making the vectors of records current, in the transaction that changed them. A job of a source which is
     * still queued serves this change too.
     */
    async enqueueEmbeddings(
      trx: Knex.Transaction,
      ...wanted: { userId: string; source: { type: SourceType; id: string } }[]
    ): Promise<void> {
      const runAt = new Date(Date.now() + embeddingDelayMs)
      const rows = wanted.map(({ userId, source }) => ({
        id: newId(),
        userId,
        action: 'embedding_generation' as const,
        origin: 'system' as const,
        input: { source },
        source,
        maxAttempts: attemptsOf('embedding_generation'),
        runAt
      }))
      const ids = new Set(await store.insert(trx, ...rows))
      for (const { id, userId, origin } of rows) {
        if (!ids.has(id)) continue
        const queuedAs = { delayMs: embeddingDelayMs, owner: userId, origin }
        transaction.afterCommit(trx, `job:${id}`, () => queues.add('embedding_generation', id, queuedAs))
      }
    }
  }
}
