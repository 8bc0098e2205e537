import type { TestFn } from 'ava'
import type { Actor } from '../../lib/access/actor.ts'
import { createRecords, type Records } from '../../lib/records/records.ts'
import type { TextNews } from '../../lib/records/record-writer.ts'
import { createEventStore } from '../../lib/store/events/events.ts'
import { contextForFile, newUser, type TestContext } from './context.ts'

export type TextChange = { kind: 'changed' | 'removed'; type: string; ids: string[] }

export type RecordsPlace = {
  context: TestContext
  records: Records
  /** what the services told about texts, in order */
  textChanges: TextChange[]
  newActor: (role?: Actor['role']) => Promise<Actor>
  /** events about a record, in the order in which they were written, without the jobs' */
  eventsOf: (subject: string) => Promise<{ type: string; user_id: string | null; data: unknown; channels: string[] }[]>
}

/**
 * The record services over a schema of the file's own.
 * @param texts what is to hear of texts instead of `textChanges`
 */
export function recordsForFile(test: TestFn, texts?: (context: TestContext) => TextNews): () => RecordsPlace {
  const context = contextForFile(test)
  let place: RecordsPlace | undefined
  return () => {
    place ??= open(context(), texts)
    return place
  }
}

function open(context: TestContext, texts?: (context: TestContext) => TextNews): RecordsPlace {
  const { knex, transaction, events } = context
  const textChanges: TextChange[] = []
  return {
    context,
    textChanges,
    records: createRecords({
      knex,
      transaction,
      events,
      eventStore: createEventStore({ knex }),
      texts: texts?.(context) ?? {
        changed: async (_trx, ...sources) => {
          for (const { type, id } of sources) textChanges.push({ kind: 'changed', type, ids: [id] })
        },
        removed: async (_trx, type, ids) => textChanges.push({ kind: 'removed', type, ids })
      },
      ownsJob: async (actor, id) => (await context.jobStore.find(id, actor.id)) !== undefined
    }),
    async newActor(role = 'user') {
      const id = await newUser(context, role)
      return { id, role, credential: { kind: 'session', id } }
    },
    eventsOf: async (subject) =>
      await knex('events').where({ subject }).orderBy('seq').select('type', 'user_id', 'data', 'channels')
  }
}
