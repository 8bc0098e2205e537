import type { Knex } from 'knex'

/**
 * A row may stand for further refused requests of its subject, action and minute: a flood makes sixty rows and one that
 * counts. Every figure counts them; a count only rises.
 */
const deltasOf = (requests: string) => {
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
  const rows = (table: string, sign: number) =>
    `select created_at, user_id, action, outcome, prompt_tokens, completion_tokens, total_tokens, cost_pico, ${sign} as sign,
       ${sign} * ${requests} as requests
     from ${table}`
  const insert = (changed: string) => `
    insert into audit_deltas (minute, user_id, action, ${sums.join(', ')})
    select * from (
      select date_trunc('minute', created_at, 'UTC'), user_id, action, sum(requests) as requests,
        coalesce(sum(requests) filter (where outcome = 'allowed'), 0) as allowed,
        coalesce(sum(requests) filter (where outcome = 'blocked'), 0) as blocked,
        coalesce(sum(requests) filter (where outcome = 'degraded'), 0) as degraded,
        coalesce(sum(sign * prompt_tokens), 0) as prompt_tokens,
        coalesce(sum(sign * completion_tokens), 0) as completion_tokens,
        coalesce(sum(sign * total_tokens), 0) as total_tokens,
        coalesce(sum(sign * cost_pico), 0) as cost_pico
      from (${changed}) changed group by 1, 2, 3) d
    where (${sums.map((name) => `d.${name}`).join(', ')}) is distinct from (${sums.map(() => 0).join(', ')});`
  return `
    create or replace function note_audit_figures() returns trigger language plpgsql set search_path from current as $$
    begin
      if tg_op = 'INSERT' then ${insert(rows('added', 1))}
      elsif tg_op = 'DELETE' then ${insert(rows('removed', -1))}
      else ${insert(`${rows('added', 1)} union all ${rows('removed', -1)}`)}
      end if;
      return null;
    end $$;`
}

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table rate_limit_audits add column repeats integer not null default 0 check (repeats >= 0);
    ${deltasOf('(1 + repeats)')}
  `)
}

/** What was only counted is no longer counted: the figures are again those of the rows. */
export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    update rate_limit_audits set repeats = 0 where repeats > 0;
    ${deltasOf('1')}
    alter table rate_limit_audits drop column repeats;
  `)
}
