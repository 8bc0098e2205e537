import type { Knex } from 'knex'
import { newId } from '../../lib/ids.ts'
import { type GateAction, gateActions } from '../../lib/actions/actions.ts'

export type AuditRow = {
  id: string
  user_id: string | null
  action: GateAction
  outcome: 'allowed' | 'blocked' | 'degraded'
  ip: string | null
  prompt_tokens: number | null
  completion_tokens: number | null
  total_tokens: number | null
  cost_pico: string | null
  created_at: Date
}

/** An audit row as the table holds it: an allowed call of now, unless told. */
export function auditRow(changes: Partial<AuditRow> & { tokens?: number; costUsd?: number } = {}): AuditRow {
  const { tokens, costUsd, ...columns } = changes
  return {
    id: newId(),
    user_id: null,
    action: 'api_call',
    outcome: 'allowed',
    ip: '192.0.2.1',
    prompt_tokens: tokens ?? null,
    completion_tokens: tokens === undefined ? null : 0,
    total_tokens: tokens ?? null,
    cost_pico: costUsd === undefined ? null : String(Math.round(costUsd * 1e12)),
    created_at: new Date(),
    ...columns
  }
}

/** Inserts audits, and for those with tokens or cost the settled call that they are the figures of. */
export async function insertAudits(knex: Knex, rows: AuditRow[]): Promise<void> {
  await knex.batchInsert('rate_limit_audits', rows, 500)
  await insertCalls(
    knex,
    rows.filter(({ prompt_tokens, cost_pico }) => prompt_tokens !== null || cost_pico !== null)
  )
}

/** A settled call, with one share, for each of these audits: under the audit's id. */
export async function insertCalls(knex: Knex, rows: AuditRow[]): Promise<void> {
  const used = ({ prompt_tokens, completion_tokens, cost_pico, created_at }: AuditRow) => ({
    prompt_tokens: prompt_tokens ?? 0,
    completion_tokens: completion_tokens ?? 0,
    cost_pico: cost_pico ?? '0',
    created_at
  })
  await knex.batchInsert(
    'model_calls',
    rows.map((row) => ({ id: row.id, kind: 'chat', model: 'offline-chat-mini', state: 'settled', ...used(row) })),
    500
  )
  await knex.batchInsert(
    'model_call_shares',
    rows.map((row) => ({
      call_id: row.id,
      ordinal: 0,
      job_id: row.id,
      user_id: row.user_id,
      action: row.action,
      step: 'answer',
      input_hash: '',
      run: 1,
      ...used(row)
    })),
    500
  )
}

const pick = <T>(list: readonly T[], random: () => number): T => list[Math.floor(random() * list.length)] as T

/** Rows of any kind, spread over a time. */
export function randomAudits(
  count: number,
  { users, from, to, random }: { users: (string | null)[]; from: Date; to: Date; random: () => number }
): AuditRow[] {
  return Array.from({ length: count }, () => {
    const action = pick(gateActions, random)
    const prompt = action !== 'api_call' && random() < 0.7 ? Math.floor(random() * 2_000) : null
    const completion = prompt === null ? null : Math.floor(random() * 500)
    return auditRow({
      user_id: pick(users, random),
      action,
      outcome: pick(['allowed', 'allowed', 'allowed', 'blocked', 'degraded'] as const, random),
      prompt_tokens: prompt,
      completion_tokens: completion,
      total_tokens: prompt === null || completion === null ? null : prompt + completion,
      cost_pico: prompt === null ? null : String(prompt * 150_000),
      created_at: new Date(from.getTime() + Math.floor(random() * (to.getTime() - from.getTime())))
    })
  })
}
