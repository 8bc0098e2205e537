import type { Knex } from 'knex'
import { newId } from '../ids.ts'
import { insertEvents } from '../store/events/insert-events.ts'
import type { Transaction } from '../store/transaction.ts'

/** An event as it is written: true once its transaction commits, without a position until the relay gives it one. */
export type NewEvent = {
  /** for example `goal.created`, `job.completed.chat_completion`: also the routing key on RabbitMQ */
  type: string
  /** whose event it is; `null` for nobody's */
  userId: string | null
  /** id of the record or job it tells about */
  subject: string | null
  data: unknown
  /** further channels than `user:<userId>`: `job:<id>`, `goal:<id>`, `task:<id>`, `course:<id>` */
  channels?: string[]
  /** a completed job whose result belongs into `data`: it is put there when the event is read */
  resultOf?: string
}

export type EventLog = {
  /** Writes the event in the caller's transaction and wakes the relay after the commit. Returns the event's id. */
  append(trx: Knex.Transaction, event: NewEvent): Promise<string>
  /** The same for many, in few statements. The ids come in the order of the events. */
  appendAll(trx: Knex.Transaction, events: NewEvent[]): Promise<string[]>
}

/** @param wake tells the relay that there is something to read; may fail, the relay polls besides */
export function createEventLog({
  transaction,
  wake
}: {
  transaction: Transaction
  wake: () => Promise<unknown>
}): EventLog {
  const log: EventLog = {
    async append(trx, event) {
      const [id] = await log.appendAll(trx, [event])
      return id as string
    },

    async appendAll(trx, events) {
      const rows = events.map(({ type, userId, subject, data, channels = [], resultOf = null }) => ({
        id: newId(),
        user_id: userId,
        type,
        subject,
        data: JSON.stringify(data ?? null),
        job_id: resultOf,
        channels: userId === null ? channels : [`user:${userId}`, ...channels]
      }))
      await insertEvents(trx, rows)
      if (rows.length > 0) transaction.afterCommit(trx, 'relay', wake)
      return rows.map(({ id }) => id)
    }
  }
  return log
}
