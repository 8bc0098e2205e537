import type { Knex } from 'knex'
import type { Logger } from '../logger.ts'
import { createEmbeddingSearch } from '../store/search/embedding-search.ts'
import { createEmbeddingStore } from '../store/search/embeddings.ts'
import { createSourceStore } from '../store/search/sources.ts'
import { createChunkPool } from './chunk-pool.ts'
import { createRetriever } from './retriever.ts'
import { type CourseAccess, createScopes } from '../access/scope.ts'
import { createRagTools } from './tools.ts'
import type { ReferenceAccess } from './tools/tool.ts'
import type { Embedder } from './vectors.ts'

export type Rag = ReturnType<typeof createRag>

/** Everything that reads and writes vectors, for a process that runs jobs. */
export function createRag({
  knex,
  access,
  models,
  log
}: {
  knex: Knex
  access: ReferenceAccess & CourseAccess
  models: Embedder
  log: Pick<Logger, 'error'>
}) {
  const sources = createSourceStore({ knex })
  const embeddings = createEmbeddingStore({ knex })
  const chunker = createChunkPool()
  const retriever = createRetriever({ search: createEmbeddingSearch({ knex }), model: models.embeddingModel, log })
  return {
    sources,
    embeddings,
    retriever,
    chunker,
    scopes: createScopes({ access }),
    tools: createRagTools({ retriever, embeddings, sources, access, models }),
    close: chunker.close
  }
}
