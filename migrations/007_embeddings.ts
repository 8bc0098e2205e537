import type { Knex } from 'knex'

/** One row a chunk. The extension stays when this is undone: other schemas of the database may use it. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    select pg_advisory_xact_lock(hashtext('create extension vector'));
    create extension if not exists vector schema public;
    create table embeddings (
      id uuid primary key,
      source_type text not null check (source_type in ('goal', 'task', 'code_snapshot', 'document')),
      source_id uuid not null,
      chunk integer not null,
      owner_id uuid not null references users on delete cascade,
      course_id uuid references courses on delete cascade,
      scope text not null check (scope in ('user', 'course', 'global')),
      title text not null,
      content text not null,
      content_hash bytea not null,
      language text,
      model text not null,
      embedding vector(1536) not null,
      tsv tsvector not null,
      metadata jsonb not null default '{}',
      created_at timestamptz not null default now(),
      unique (source_type, source_id, model, chunk)
    );
    create index embeddings_hnsw on embeddings using hnsw (embedding vector_cosine_ops) with (m = 16, ef_construction = 64);
    create index embeddings_tsv on embeddings using gin (tsv);
    create index embeddings_owner_id on embeddings (owner_id, model, source_type);
    create index embeddings_course_id on embeddings (course_id, model) where course_id is not null;
    create index embeddings_global on embeddings (model) where scope = 'global';
  `)
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    drop table embeddings;
  `)
}
