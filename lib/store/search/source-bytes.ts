import type { Knex } from 'knex'
import type { SourceType } from '../../schemas/sources.ts'

const sizes: Record<SourceType, [table: string, bytes: string]> = {
  goal: ['goals', `octet_length(title) + coalesce(octet_length(description), 0)`],
  task: ['tasks', `octet_length(title) + coalesce(octet_length(description), 0)`],
  code_snapshot: ['code_snapshots', 'octet_length(source) + 1000'],
  document: ['documents', 'octet_length(markdown) + octet_length(title)']
}

/** Bytes of a record's text, without reading it; 0 when there is no such record. */
export async function sourceBytes(db: Knex, { type, id }: { type: SourceType; id: string }): Promise<number> {
  const [table, bytes] = sizes[type]
  const { rows } = await db.raw(`select ${bytes} as bytes from ${table} where id = ?`, [id])
  return Number(rows[0]?.bytes ?? 0)
}
