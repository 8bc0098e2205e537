import type { Knex } from 'knex'
import { notFound } from '../errors/app-error.ts'
import { encodeCursor, isUuid, type Page } from '../schemas/page.ts'
import type { ListOptions } from '../store/records/record-list.ts'
import type { RecordStore } from '../store/records/record-store.ts'
import { type Person, viewerOf } from './viewer.ts'

/** Finding and listing, the same for all records: what the actor may not see is not there. */
export function createRecordReader<View extends { id: string }>(
  store: Pick<RecordStore<View>, 'find' | 'list'>,
  /** how a missing one is called in the message */
  what: string
) {
  return {
    /** @throws AppError 404 for an unknown or foreign id */
    async find(actor: Person, id: string, trx?: Knex.Transaction): Promise<View> {
      const view = isUuid(id) ? await store.find(id, viewerOf(actor), trx) : undefined
      if (!view) throw notFound(what)
      return view
    },

    async page(actor: Person, options: ListOptions<View>): Promise<Page<View>> {
      const { rows, hasMore } = await store.list(viewerOf(actor), options)
      const last = rows.at(-1)
      return { data: rows, nextCursor: hasMore && last ? encodeCursor(last.id) : null }
    }
  }
}
