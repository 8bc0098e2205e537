import type { Knex } from 'knex'
import { AppError } from '../errors/app-error.ts'
import type { EventLog } from '../events/log.ts'
import type { SourceType } from '../schemas/sources.ts'
import type { Some } from '../store/records/record-list.ts'
import type { Transaction } from '../store/transaction.ts'
import type { News } from './record-events.ts'

/** What record services tell about texts that are embedded, in the transaction that changes them. */
export type TextNews = {
  changed(trx: Knex.Transaction, ...sources: { type: SourceType; id: string; ownerId: string }[]): Promise<unknown>
  removed(trx: Knex.Transaction, type: SourceType, ids: string[]): Promise<unknown>
}

/** What a record is made of, with its id when that was settled before: by an agent, which went on to speak of it. */
export type Given<Create> = Create & { id?: string | undefined }

/** Of each record of a call: as it was created, or why not. */
export type Outcome<View> = View | AppError

/** The record came to stand elsewhere between being read and being locked: the transaction starts anew. */
export class MovedError extends Error {}

const maxTries = 5
/** A view that is larger as JSON leaves its long texts out of the news: whoever wants them reads the record. */
const maxNewsBytes = 64 * 1024

export type Writing = ReturnType<typeof createRecordWriter>

/** What all record services write with. */
export function createRecordWriter({
  transaction,
  events,
  texts
}: {
  transaction: Transaction
  events: EventLog
  texts: TextNews
}) {
  return {
    texts,

    /** Tells of the texts of records that were just created. */
    async textsCreated(
      trx: Knex.Transaction,
      type: SourceType,
      created: ({ id: string } & ({ userId: string } | { ownerId: string }))[]
    ): Promise<void> {
      if (created.length === 0) return
      await texts.changed(
        trx,
        ...created.map((record) => ({
          type,
          id: record.id,
          ownerId: 'userId' in record ? record.userId : record.ownerId
        }))
      )
    },

    /**
     * A transaction that starts anew when PostgreSQL ended it to resolve a deadlock, or when a record moved meanwhile.
     * @throws AppError `conflict` when something it refers to was deleted at the same moment
     */
    async run<T>(work: (trx: Knex.Transaction) => Promise<T>): Promise<T> {
      for (let attempt = 1; ; attempt++) {
        try {
          return await transaction.transact(work)
        } catch (error) {
          if (attempt < maxTries && mayPass(error)) continue
          if (codeOf(error) === '23503') {
            throw new AppError('conflict', 'something it refers to was deleted meanwhile', { cause: error })
          }
          throw error
        }
      }
    },

    /** Writes events about records, into the channels of what each belongs to. */
    async tell(trx: Knex.Transaction, ...news: News[]): Promise<void> {
      await events.appendAll(
        trx,
        news.map((item) => ({ ...item, data: withinReason(item.data) }))
      )
    }
  }
}

/**
 * Inserts the rows that were not refused.
 * @returns what was created, and an outcome for each row in their order
 */
export async function insertAllowed<Row extends object, View>(
  rows: (Row | AppError)[],
  insert: (allowed: Row[]) => Promise<View[]>
): Promise<{ created: View[]; outcomes: Outcome<View>[] }> {
  const created = await insert(rows.filter((row): row is Row => !(row instanceof AppError)))
  const inOrder = created.values()
  return {
    created,
    outcomes: rows.map((row) => (row instanceof AppError ? row : (inOrder.next().value as View)))
  }
}

/** The one outcome of a call with one record. @throws AppError when it was refused */
export function single<View>([outcome]: Outcome<View>[]): View {
  if (outcome instanceof AppError) throw outcome
  return outcome as View
}

/** Fields of a patch that differ from what is stored. */
export function differences<View extends object>(view: View, patch: Some<View>): Some<View> {
  return Object.fromEntries(
    Object.entries(patch).filter(([field, value]) => value !== undefined && value !== view[field as keyof View])
  ) as Some<View>
}

function withinReason(data: object): object {
  const isLong = Object.values(data).some((value) => typeof value === 'string' && value.length > maxNewsBytes)
  // What is too long already is not written as JSON to learn that.
  if (!isLong && Buffer.byteLength(JSON.stringify(data)) <= maxNewsBytes) return data
  const long = Object.entries(data).filter(([, value]) => typeof value === 'string' && value.length > 1_000)
  const omitted = long.map(([field]) => field)
  return { ...Object.fromEntries(Object.entries(data).filter(([field]) => !omitted.includes(field))), omitted }
}

const codeOf = (error: unknown): string | undefined => (error as { code?: string } | null)?.code

/** deadlock_detected and serialization_failure (PostgreSQL manual, appendix A). */
const mayPass = (error: unknown): boolean =>
  error instanceof MovedError || ['40P01', '40001'].includes(codeOf(error) ?? '')
