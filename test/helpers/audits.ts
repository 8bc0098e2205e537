import type { Knex } from 'knex'
import { newId } from '../../lib/ids.ts'
import { type GateAction, gateActions } from '../../lib/schemas/actions.ts'

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

export async function insertAudits(knex: Knex, rows: AuditRow[]): Promise<void> {
  await knex.batchInsert('rate_limit_audits', rows, 500)
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
