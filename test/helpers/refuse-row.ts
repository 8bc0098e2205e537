import type { Knex } from 'knex'

/**
 * Makes the database refuse to touch one row of a table, as a broken constraint or trigger would.
 * @param column what `value` is compared with: the row's id unless told
 * @returns what makes it take the row again
 */
export async function refuseRow(
  knex: Knex,
  table: string,
  operation: 'insert' | 'update' | 'delete',
  value: string,
  column = 'id'
): Promise<() => Promise<void>> {
  const name = `refuse_${operation}_${table}`
  const row = operation === 'insert' ? 'new' : 'old'
  await knex.raw(`
    create function ${name}() returns trigger language plpgsql as $$
    begin
      raise exception 'this row is refused' using errcode = '23514';
    end $$;
    create trigger ${name} before ${operation} on ${table} for each row
      when (${row}.${column}::text = '${value}') execute function ${name}();
  `)
  return async () => {
    await knex.raw(`drop trigger ${name} on ${table}; drop function ${name}();`)
  }
}
