import type { Knex } from 'knex'

const auditSums = [
  'requests',
  'allowed',
  'blocked',
  'degraded',
  'prompt_tokens',
  'completion_tokens',
  'total_tokens',
  'cost_pico'
]
const callSums = ['calls', 'prompt_tokens', 'completion_tokens', 'cost_pico']

/** Adds what was taken to one roll-up, by its key; `at` is its first moment of the unit in UTC. */
function addTo(table: string, key: Record<string, string>, sums: string[], where = 'true'): string {
  const names = Object.keys(key)
  return `
    ${table}_added as (
      insert into ${table} as f (${[...names, ...sums].join(', ')})
      select ${Object.values(key).join(', ')}, ${sums.map((name) => `sum(${name})`).join(', ')}
      from taken where ${where} group by ${names.map((_, index) => index + 1).join(', ')}
      on conflict (${names.join(', ')}) do update
        set ${sums.map((name) => `${name} = f.${name} + excluded.${name}`).join(', ')})`
}

const unit = (name: string) => `date_trunc('${name}', minute, 'UTC')`
const take = (table: string) =>
  `taken as (delete from ${table} where id in (select id from ${table} order by id limit :limit) returning *)`

/** One statement, so that what is taken from the deltas is in the roll-ups in the same instant for every reader. */
const foldAudits = `
  with ${take('audit_deltas')},
  ${addTo('audit_minutes', { minute: 'minute', action: 'action' }, auditSums)},
  ${addTo('audit_hours', { hour: unit('hour'), action: 'action' }, auditSums)},
  ${addTo('audit_user_hours', { user_id: 'user_id', hour: unit('hour'), action: 'action' }, auditSums, 'user_id is not null')},
  ${addTo('audit_user_days', { user_id: 'user_id', day: unit('day') }, auditSums, 'user_id is not null')}
  select count(*)::int as taken, coalesce(bool_or(requests < 0), false) as shrank from taken`

const foldCalls = `
  with ${take('ledger_deltas')},
  ${addTo('ledger_minutes', { minute: 'minute', model: 'model' }, callSums)},
  ${addTo('ledger_hours', { hour: unit('hour'), model: 'model' }, callSums)}
  select count(*)::int as taken, false as shrank from taken`

const rollUps = ['audit_minutes', 'audit_hours', 'audit_user_hours', 'audit_user_days']
const allZero = auditSums.map((name) => `${name} = 0`).join(' and ')

/** Folds the deltas that triggers leave behind (`migrations/061`) into the roll-ups. */
export function createRollUpStore({ knex }: { knex: Knex }) {
  async function fold(trx: Knex.Transaction, statement: string, limit: number): Promise<number> {
    const { rows } = await trx.raw(statement, { limit })
    const [{ taken, shrank }] = rows as [{ taken: number; shrank: boolean }]
    if (shrank) for (const table of rollUps) await trx.raw(`delete from ${table} where ${allZero}`)
    return taken
  }

  return {
    /**
     * Folds the oldest deltas, of audits and of the ledger each `limit` at most. One caller at a time works, whichever
     * process it is in.
     * @returns whether there may be more; `undefined` when another caller is at work
     */
    async fold(limit: number): Promise<boolean | undefined> {
      return await knex.transaction(async (trx) => {
        const { rows } = await trx.raw(
          `select pg_try_advisory_xact_lock(hashtext(current_schema() || ' roll-ups')) as ours`
        )
        if (!rows[0].ours) return undefined
        await trx.raw(`set local jit = off`)
        const audits = await fold(trx, foldAudits, limit)
        const calls = await fold(trx, foldCalls, limit)
        return audits === limit || calls === limit
      })
    }
  }
}
