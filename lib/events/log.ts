import type { Knex } from 'knex'
import { newId } from '../ids.ts'
import type { Transaction } from '../store/transaction.ts'
import { withoutLargeResult } from './cloud-event.ts'

/** An event as it is written: true once its transaction commits, without a position until the relay gives it one. */
export type NewEvent = {
  /** for example `goal.created`, `job.completed.chat_completion`: also the routing key on RabbitMQ */
  type: string
  /** whose event it is; `null` for nobody's */
  userId: string | null
  /** id of the record or job it tells about */
  subject: string | null
  data: unknown
  /** given when the same news may be written twice: the second is ignored */
  id?: string
  /** further channels than `user:<userId>`: `job:<id>`, `goal:<id>`, `task:<id>`, `course:<id>` */
  channels?: string[]
}

export type EventLog = {
  /** Writes the event in the caller's transaction and wakes the relay after the commit. Returns the event's id. */
  append(trx: Knex.Transaction, event: NewEvent): Promise<string>
}

/** @param wake tells the relay that there is something to read; may fail, the relay polls besides */
export function createEventLog({
  transaction,
  wake
}: {
  transaction: Transaction
  wake: () => Promise<unknown>
}): EventLog {
  return {
    async append(trx, { type, userId, subject, data, channels = [], id = newId() }) {
      await trx('events')
        .insert({
          id,
          user_id: userId,
          type,
          subject,
          data: JSON.stringify(withoutLargeResult(data) ?? null),
          channels: userId === null ? channels : [`user:${userId}`, ...channels]
        })
        .onConflict('id')
        .ignore()
      transaction.afterCommit(trx, 'relay', wake)
      return id
    }
  }
}
