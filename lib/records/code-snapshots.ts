import type { Knex } from 'knex'
import { invalidField, notFound } from '../errors/app-error.ts'
import { requireMatch } from '../etag.ts'
import { newId } from '../ids.ts'
import type {
  CodeSnapshotCreate,
  CodeSnapshotPatch,
  CodeSnapshotQuery,
  CodeSnapshotView
} from '../schemas/code-snapshot.ts'
import type { Page } from '../schemas/page.ts'
import type { CodeSnapshotStore } from '../store/records/code-snapshots.ts'
import type { TaskStore } from '../store/records/tasks.ts'
import { snapshotEvent as news } from './record-events.ts'
import { createRecordReader } from './record-reader.ts'
import { type Person, viewerOf } from './viewer.ts'
import { differences, insertAllowed, type Outcome, single, type Writing } from './record-writer.ts'

export type CodeSnapshots = ReturnType<typeof createCodeSnapshots>

export function createCodeSnapshots({
  codeSnapshots,
  tasks,
  writing
}: {
  codeSnapshots: CodeSnapshotStore
  tasks: TaskStore
  writing: Writing
}) {
  const reading = createRecordReader(codeSnapshots, 'the code snapshot')
  const unseenTask = () => invalidField('taskId', 'is not a task of the same person')
  const sizeOf = (source: string) => ({ sizeBytes: Buffer.byteLength(source) })

  const service = {
    find: (actor: Person, id: string): Promise<CodeSnapshotView> => reading.find(actor, id),

    async list(
      actor: Person,
      { limit, cursor, language, ...filters }: CodeSnapshotQuery
    ): Promise<Page<CodeSnapshotView>> {
      return await reading.page(actor, {
        limit,
        cursor,
        filters,
        ...(language === undefined
          ? {}
          : { narrow: { sql: 'lower(code_snapshots.language) = lower(?)', values: [language] } })
      })
    },

    /** Creates snapshots in one statement; one of a task belongs to the task's user. */
    async createMany(
      trx: Knex.Transaction,
      actor: Person,
      inputs: CodeSnapshotCreate[]
    ): Promise<Outcome<CodeSnapshotView>[]> {
      const wanted = inputs.flatMap(({ taskId }) => taskId ?? [])
      const seen = await tasks.lock(trx, wanted, viewerOf(actor), 'key share')
      const rows = inputs.map((input) => {
        const task = input.taskId ? seen.get(input.taskId) : undefined
        if (input.taskId && !task) return unseenTask()
        return { ...input, id: newId(), userId: task?.userId ?? actor.id, ...sizeOf(input.source) }
      })
      const { created, outcomes } = await insertAllowed(rows, (allowed) => codeSnapshots.insert(trx, allowed))
      await writing.tell(trx, ...created.map((snapshot) => news('created', snapshot)))
      await writing.textsCreated(trx, 'code_snapshot', created)
      return outcomes
    },

    /** @throws AppError 422 naming `taskId` */
    async create(trx: Knex.Transaction, actor: Person, input: CodeSnapshotCreate): Promise<CodeSnapshotView> {
      return single(await service.createMany(trx, actor, [input]))
    },

    /** @throws AppError 404; 412 when `ifMatch` names another state; 422 naming `taskId` */
    async updateIn(
      trx: Knex.Transaction,
      actor: Person,
      id: string,
      patch: CodeSnapshotPatch,
      ifMatch?: string
    ): Promise<CodeSnapshotView> {
      const task = patch.taskId
        ? (await tasks.lock(trx, [patch.taskId], viewerOf(actor), 'key share')).get(patch.taskId)
        : undefined
      const seen = await reading.find(actor, id, trx)
      const snapshot = (await codeSnapshots.lock(trx, [seen.id], viewerOf(actor))).get(seen.id)
      if (!snapshot) throw notFound('the code snapshot')
      requireMatch(ifMatch, snapshot)
      const changes = differences(snapshot, { ...patch, ...(patch.source === undefined ? {} : sizeOf(patch.source)) })
      if (Object.keys(changes).length === 0) return snapshot
      if (changes.taskId && task?.userId !== snapshot.userId) throw unseenTask()
      const updated = (await codeSnapshots.update(trx, snapshot.id, changes)) as CodeSnapshotView
      await writing.tell(trx, news('updated', updated))
      await writing.texts.changed(trx, { type: 'code_snapshot', id: snapshot.id, ownerId: snapshot.userId })
      return updated
    },

    async update(actor: Person, id: string, patch: CodeSnapshotPatch, ifMatch?: string): Promise<CodeSnapshotView> {
      return await writing.run((trx) => service.updateIn(trx, actor, id, patch, ifMatch))
    },

    /** @throws AppError 404, 412 */
    async removeIn(trx: Knex.Transaction, actor: Person, id: string, ifMatch?: string): Promise<void> {
      const seen = await reading.find(actor, id, trx)
      const snapshot = (await codeSnapshots.lock(trx, [seen.id], viewerOf(actor))).get(seen.id)
      if (!snapshot) throw notFound('the code snapshot')
      requireMatch(ifMatch, snapshot)
      await writing.tell(trx, news('deleted', snapshot))
      await writing.texts.removed(trx, 'code_snapshot', [snapshot.id])
      await codeSnapshots.remove(trx, [snapshot.id])
    },

    async remove(actor: Person, id: string, ifMatch?: string): Promise<void> {
      await writing.run((trx) => service.removeIn(trx, actor, id, ifMatch))
    }
  }
  return service
}
