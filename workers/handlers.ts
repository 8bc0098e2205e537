import type { z } from 'zod'
import { createSyntaxChecker } from '../lib/code/syntax-checker.ts'
import type { Context } from '../lib/context.ts'
import type { Models } from '../lib/models/client.ts'
import { createRag } from '../lib/rag/rag.ts'
import { createBulk } from '../lib/records/bulk.ts'
import { bulkInputSchema } from '../lib/schemas/bulk.ts'
import { codeValidationInputSchema } from '../lib/schemas/code-validation.ts'
import { embeddingInputSchema } from '../lib/schemas/embedding.ts'
import { fieldErrors } from '../lib/schemas/field-errors.ts'
import { ragInputSchema } from '../lib/schemas/rag.ts'
import { createClientIdStore } from '../lib/store/client-ids.ts'
import { createValidationResults } from '../lib/store/validation-results.ts'
import type { Processor } from './processor.ts'
import { bulkCreateProcessor } from './processors/bulk-create.ts'
import { codeValidationProcessor } from './processors/code-validation.ts'
import { embeddingGenerationProcessor } from './processors/embedding-generation.ts'
import { ragSearchProcessor } from './processors/rag-search.ts'
import type { Handler, Handlers } from './run-job.ts'

/** The processor of each action with the schema its input is parsed by, over one process's context. */
export async function createHandlers({ context, models }: { context: Context; models: Models }): Promise<Handlers> {
  const { knex, log, events, records, users } = context
  const { access, courses, goals, tasks, codeSnapshots, documents } = records
  const bulk = createBulk({ clientIds: createClientIdStore(), courses, goals, tasks, codeSnapshots, documents })
  const rag = createRag({ knex, access, models, log })
  return {
    embedding_generation: handler(
      embeddingInputSchema,
      embeddingGenerationProcessor({ ...rag, models, events, access, people: users })
    ),
    code_validation: handler(
      codeValidationInputSchema,
      codeValidationProcessor({
        models,
        access,
        users,
        syntax: createSyntaxChecker(),
        results: createValidationResults({ knex })
      })
    ),
    rag_search: handler(ragInputSchema, ragSearchProcessor({ ...rag, people: users })),
    bulk_create: handler(bulkInputSchema, bulkCreateProcessor({ bulk, users }))
  } as Handlers
}

/** Parses again what was parsed at admission: queued jobs outlive deploys. */
function handler<Input>(schema: z.ZodType<Input>, process: Processor<Input>): Handler {
  return {
    parse(input) {
      const parsed = schema.safeParse(input)
      if (parsed.success) return { ok: true, input: parsed.data }
      const wrong = fieldErrors(parsed.error).map(({ path, message }) => `${path} ${message}`)
      return { ok: false, problem: `the job's input is not valid any more: ${wrong.join('; ')}` }
    },
    process: process as Processor
  }
}
