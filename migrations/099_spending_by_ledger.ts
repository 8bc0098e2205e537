import type { Knex } from 'knex'

/**
 * Tokens and cost in the figures come from the ledger, where `byModel` and everybody's own usage have them from. The
 * audits know only what requests led to, and so missed what the platform does for people by itself: the embedding of
 * their records. Requests are still counted from the audits; both are added to the same deltas and roll-ups.
 */
const counts = ['requests', 'allowed', 'blocked', 'degraded']
const spent = ['prompt_tokens', 'completion_tokens', 'total_tokens', 'cost_pico']
const tables = ['audit_deltas', 'audit_minutes', 'audit_hours', 'audit_user_hours', 'audit_user_days']

const zeros = (names: string[]) => names.map((name) => `0 as ${name}`).join(', ')
const isSomething = (names: string[]) =>
  `(${names.map((name) => `d.${name}`).join(', ')}) is distinct from (${names.map(() => 0).join(', ')})`

/** As `migrations/085`, with or without what audits say of tokens and cost. */
const requestDeltas = (rows: string, sums: string) => `
  insert into audit_deltas (minute, user_id, action, ${[...counts, ...spent].join(', ')})
  select * from (
    select date_trunc('minute', created_at, 'UTC'), user_id, action, sum(sign * (1 + repeats)) as requests,
      coalesce(sum(sign * (1 + repeats)) filter (where outcome = 'allowed'), 0) as allowed,
      coalesce(sum(sign * (1 + repeats)) filter (where outcome = 'blocked'), 0) as blocked,
      coalesce(sum(sign * (1 + repeats)) filter (where outcome = 'degraded'), 0) as degraded, ${sums}
    from (${rows}) changed group by 1, 2, 3) d
  where ${isSomething([...counts, ...spent])};`

const auditSums = spent.map((name) => `coalesce(sum(sign * ${name}), 0) as ${name}`).join(', ')

const spendingDeltas = (rows: string) => `
  insert into audit_deltas (minute, user_id, action, ${[...counts, ...spent].join(', ')})
  select * from (
    select date_trunc('minute', created_at, 'UTC'), user_id, action, ${zeros(counts)},
      sum(sign * prompt_tokens) as prompt_tokens, sum(sign * completion_tokens) as completion_tokens,
      sum(sign * (prompt_tokens + completion_tokens)) as total_tokens, sum(sign * cost_pico) as cost_pico
    from (${rows}) changed group by 1, 2, 3) d
  where ${isSomething(spent)};`

const auditRows = (table: string, sign: number) =>
  `select created_at, user_id, action, outcome, repeats, ${spent.join(', ')}, ${sign} as sign from ${table}`
const shareRows = (table: string, sign: number) =>
  `select created_at, user_id, action, prompt_tokens, completion_tokens, cost_pico, ${sign} as sign from ${table}`

const follow = (name: string, deltas: (rows: string) => string, rows: (table: string, sign: number) => string) => `
  create or replace function ${name}() returns trigger language plpgsql set search_path from current as $$
  begin
    if tg_op = 'INSERT' then ${deltas(rows('added', 1))}
    elsif tg_op = 'DELETE' then ${deltas(rows('removed', -1))}
    else ${deltas(`${rows('added', 1)} union all ${rows('removed', -1)}`)}
    end if;
    return null;
  end $$;`

/** A table that was emptied takes its part of the figures with it. */
const emptied = (columns: string[]) =>
  tables
    .map(
      (table) => `
      update ${table} d set ${columns.map((name) => `${name} = 0`).join(', ')} where ${isSomething(columns)};
      delete from ${table} d where not ${isSomething([...counts, ...spent])};`
    )
    .join('')

const followEmptying = (name: string, body: string) => `
  create or replace function ${name}() returns trigger language plpgsql set search_path from current as $$
  begin
    ${body}
    return null;
  end $$;`

const events = {
  inserted: 'new table as added',
  updated: 'new table as added old table as removed',
  deleted: 'old table as removed'
}
const verbs = { inserted: 'insert', updated: 'update', deleted: 'delete' }

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    ${followEmptying('note_audit_figures_all', emptied(counts))}
    ${follow('note_audit_figures', (rows) => requestDeltas(rows, zeros(spent)), auditRows)}
    ${follow('note_spending_figures', spendingDeltas, shareRows)}
    ${followEmptying('note_spending_figures_all', emptied(spent))}
    ${(Object.keys(events) as (keyof typeof events)[])
      .map(
        (name) => `create trigger figures_of_${name} after ${verbs[name]} on model_call_shares
          referencing ${events[name]} for each statement execute function note_spending_figures();`
      )
      .join('\n')}
    create trigger figures_of_truncated after truncate on model_call_shares
      for each statement execute function note_spending_figures_all();
    ${emptied(spent)}
    ${spendingDeltas(shareRows('model_call_shares', 1))}
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    ${[...Object.keys(events), 'truncated'].map((name) => `drop trigger figures_of_${name} on model_call_shares;`).join(' ')}
    drop function note_spending_figures();
    drop function note_spending_figures_all();
    ${followEmptying('note_audit_figures_all', `truncate ${tables.join(', ')};`)}
    ${follow('note_audit_figures', (rows) => requestDeltas(rows, auditSums), auditRows)}
    truncate ${tables.join(', ')};
    ${requestDeltas(auditRows('rate_limit_audits', 1), auditSums)}
  `)
}
