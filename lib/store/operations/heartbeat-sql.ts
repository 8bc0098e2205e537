/**
 * Tells that a worker lives. Parameters: its name, its queues.
 * Alone in a file because it is written by a thread that loads nothing else of the stores.
 */
export const heartbeatSql = `
  insert into workers (id, queues) values ($1, $2)
  on conflict (id) do update set seen_at = now(), queues = excluded.queues`
