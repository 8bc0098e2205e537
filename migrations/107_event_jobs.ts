import type { Knex } from 'knex'

/** An event of a completed job names the job, whose result readers put into it: it is not stored a second time. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw('alter table events add column job_id uuid')
}

/** Events that were written meanwhile get the result that they stand for. Vectors stay in the job's row. */
export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    update events e set data = e.data || case
      when jsonb_exists(j.result, 'packedEmbeddings') or pg_column_size(j.result) > 65536
        then '{"result": null, "resultOmitted": true}'::jsonb
      else jsonb_build_object('result', j.result) end
    from jobs j where j.id = e.job_id;
    alter table events drop column job_id;
  `)
}
