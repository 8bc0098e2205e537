import type { Knex } from 'knex'

/**
 * Figures of the audits and the ledger, rolled up, and exact at every moment: triggers add what each statement changed
 * to an append-only table of deltas in the same transaction, a worker folds deltas into the roll-ups, and a reader adds
 * both in one snapshot. Nobody waits for anybody: writers only insert, and one folder updates.
 *
 * Minutes and hours hold everybody's figures by action, user hours and user days those of people. All are of UTC. Pages
 * of the roll-ups keep room, because the newest rows are added to again and again.
 */
const sums = [
  'requests',
  'allowed',
  'blocked',
  'degraded',
  'prompt_tokens',
  'completion_tokens',
  'total_tokens',
  'cost_pico'
]
const sumColumns = sums.map((name) => `${name} bigint not null`).join(', ')

/** What the rows of these tables (with `sign` 1 or -1) come to, by minute, user and action. */
const auditDeltas = (rows: string) => `
  insert into audit_deltas (minute, user_id, action, ${sums.join(', ')})
  select * from (
    select date_trunc('minute', created_at, 'UTC'), user_id, action, sum(sign) as requests,
      coalesce(sum(sign) filter (where outcome = 'allowed'), 0) as allowed,
      coalesce(sum(sign) filter (where outcome = 'blocked'), 0) as blocked,
      coalesce(sum(sign) filter (where outcome = 'degraded'), 0) as degraded,
      coalesce(sum(sign * prompt_tokens), 0) as prompt_tokens,
      coalesce(sum(sign * completion_tokens), 0) as completion_tokens,
      coalesce(sum(sign * total_tokens), 0) as total_tokens,
      coalesce(sum(sign * cost_pico), 0) as cost_pico
    from (${rows}) changed group by 1, 2, 3) d
  where (${sums.map((name) => `d.${name}`).join(', ')}) is distinct from (${sums.map(() => 0).join(', ')});`

const auditRows = (table: string, sign: number) =>
  `select created_at, user_id, action, outcome, prompt_tokens, completion_tokens, total_tokens, cost_pico, ${sign} as sign
   from ${table}`

const callDeltas = (rows: string) => `
  insert into ledger_deltas (minute, model, calls, prompt_tokens, completion_tokens, cost_pico)
  select * from (
    select date_trunc('minute', created_at, 'UTC'), model, sum(sign) as calls, sum(sign * prompt_tokens) as prompt_tokens,
      sum(sign * completion_tokens) as completion_tokens, sum(sign * cost_pico) as cost_pico
    from (${rows}) changed group by 1, 2) d
  where (d.calls, d.prompt_tokens, d.completion_tokens, d.cost_pico) is distinct from (0, 0, 0, 0);`

const callRows = (table: string, sign: number) =>
  `select created_at, model, prompt_tokens, completion_tokens, cost_pico, ${sign} as sign from ${table}`

type Deltas = (rows: string) => string
type Rows = (table: string, sign: number) => string

/** One function behind three triggers, because transition tables go with a single event. */
const follow = (table: string, name: string, deltas: Deltas, rows: Rows, rollUps: string[]) => `
  create function ${name}() returns trigger language plpgsql set search_path from current as $$
  begin
    if tg_op = 'INSERT' then ${deltas(rows('added', 1))}
    elsif tg_op = 'DELETE' then ${deltas(rows('removed', -1))}
    else ${deltas(`${rows('added', 1)} union all ${rows('removed', -1)}`)}
    end if;
    return null;
  end $$;
  create trigger figures_of_inserted after insert on ${table}
    referencing new table as added for each statement execute function ${name}();
  create trigger figures_of_updated after update on ${table}
    referencing new table as added old table as removed for each statement execute function ${name}();
  create trigger figures_of_deleted after delete on ${table}
    referencing old table as removed for each statement execute function ${name}();

  create function ${name}_all() returns trigger language plpgsql set search_path from current as $$
  begin
    truncate ${rollUps.join(', ')};
    return null;
  end $$;
  create trigger figures_of_truncated after truncate on ${table}
    for each statement execute function ${name}_all();
  ${deltas(rows(table, 1))}`

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table audit_deltas (
      id bigint generated always as identity primary key,
      minute timestamptz not null,
      user_id uuid,
      action rate_limit_action not null,
      ${sumColumns}
    ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
    create table audit_minutes (
      minute timestamptz, action rate_limit_action, ${sumColumns}, primary key (minute, action)
    ) with (fillfactor = 70);
    create index audit_minutes_empty on audit_minutes (minute) where requests = 0;
    create table audit_hours (
      hour timestamptz, action rate_limit_action, ${sumColumns}, primary key (hour, action)
    ) with (fillfactor = 70);
    create index audit_hours_empty on audit_hours (hour) where requests = 0;
    create table audit_user_hours (
      user_id uuid, hour timestamptz, action rate_limit_action, ${sumColumns}, primary key (user_id, hour, action)
    ) with (fillfactor = 70);
    create index audit_user_hours_hour on audit_user_hours (hour);
    create index audit_user_hours_empty on audit_user_hours (hour) where requests = 0;
    create table audit_user_days (
      user_id uuid, day timestamptz, ${sumColumns}, primary key (user_id, day)
    ) with (fillfactor = 70);
    create index audit_user_days_day on audit_user_days (day);
    create index audit_user_days_empty on audit_user_days (day) where requests = 0;

    create table ledger_deltas (
      id bigint generated always as identity primary key,
      minute timestamptz not null,
      model text not null,
      calls bigint not null, prompt_tokens bigint not null, completion_tokens bigint not null, cost_pico bigint not null
    ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
    create table ledger_minutes (
      minute timestamptz, model text,
      calls bigint not null, prompt_tokens bigint not null, completion_tokens bigint not null, cost_pico bigint not null,
      primary key (minute, model)
    ) with (fillfactor = 70);
    create table ledger_hours (
      hour timestamptz, model text,
      calls bigint not null, prompt_tokens bigint not null, completion_tokens bigint not null, cost_pico bigint not null,
      primary key (hour, model)
    ) with (fillfactor = 70);

    ${follow('rate_limit_audits', 'note_audit_figures', auditDeltas, auditRows, [
      'audit_deltas',
      'audit_minutes',
      'audit_hours',
      'audit_user_hours',
      'audit_user_days'
    ])}
    ${follow('model_calls', 'note_ledger_figures', callDeltas, callRows, [
      'ledger_deltas',
      'ledger_minutes',
      'ledger_hours'
    ])}
  `)
}

export async function down(knex: Knex): Promise<void> {
  const triggers = ['inserted', 'updated', 'deleted', 'truncated']
  const dropTriggers = (table: string) =>
    triggers.map((name) => `drop trigger figures_of_${name} on ${table};`).join(' ')
  await knex.raw(`
    ${dropTriggers('rate_limit_audits')}
    ${dropTriggers('model_calls')}
    drop function note_audit_figures();
    drop function note_audit_figures_all();
    drop function note_ledger_figures();
    drop function note_ledger_figures_all();
    drop table audit_deltas, audit_minutes, audit_hours, audit_user_hours, audit_user_days, ledger_deltas,
      ledger_minutes, ledger_hours;
  `)
}
