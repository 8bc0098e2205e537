import type { Knex } from 'knex'

/** Limits of single users, and budgets in pico-USD with what is reserved and spent in a UTC day and month. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table limit_overrides (
      user_id uuid not null references users on delete cascade,
      action rate_limit_action not null,
      limit_per_minute double precision not null check (limit_per_minute > 0),
      burst double precision not null check (burst >= 1),
      updated_at timestamptz not null default now(),
      primary key (user_id, action)
    );
    create table budgets (
      user_id uuid primary key references users on delete cascade,
      daily_pico bigint check (daily_pico >= 0),
      monthly_pico bigint check (monthly_pico >= 0),
      updated_at timestamptz not null default now()
    );
    create table default_budget (
      id integer primary key check (id = 1),
      daily_pico bigint check (daily_pico >= 0),
      monthly_pico bigint check (monthly_pico >= 0),
      updated_at timestamptz not null default now()
    );
    insert into default_budget (id) values (1);
    create table budget_usage (
      user_id uuid not null references users on delete cascade,
      period text not null check (period in ('day', 'month')),
      starts_on date not null,
      reserved_pico bigint not null default 0,
      spent_pico bigint not null default 0,
      primary key (user_id, period, starts_on)
    );
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table budget_usage;
    drop table default_budget;
    drop table budgets;
    drop table limit_overrides;
  `)
}
