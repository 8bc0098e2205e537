import type { Knex } from 'knex'

/** An id for each enrolment, so that a course's list of them has a stable order with the newest first. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table enrollments add column id uuid not null default gen_random_uuid();
    create unique index enrollments_course_id_id on enrollments (course_id, id desc);
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop index enrollments_course_id_id;
    alter table enrollments drop column id;
  `)
}
