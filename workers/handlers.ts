import type { z } from 'zod'
import { createSyntaxChecker } from '../lib/code/syntax-checker.ts'
import type { Context } from '../lib/context.ts'
import { createDeltas } from '../lib/events/deltas.ts'
import type { Models } from '../lib/models/client.ts'
import { createRag } from '../lib/rag/rag.ts'
import { bulkInputSchema } from '../lib/schemas/bulk.ts'
import { chatInputSchema } from '../lib/schemas/chat.ts'
import { codeValidationInputSchema } from '../lib/schemas/code-validation.ts'
import { embeddingInputSchema } from '../lib/schemas/embedding.ts'
import { fieldErrors } from '../lib/schemas/field-errors.ts'
import { houseMessage } from '../lib/schemas/messages.ts'
import { ragInputSchema } from '../lib/schemas/rag.ts'
import { createJobSpending } from '../lib/store/money/job-spending.ts'
import { createValidationResults } from '../lib/store/jobs/validation-results.ts'
import { createCheckpoints } from './agents/checkpoints.ts'
import type { Processor } from './processor.ts'
import { bulkCreateProcessor } from './processors/bulk-create.ts'
import { chatCompletionProcessor } from './processors/chat-completion.ts'
import { codeValidationProcessor } from './processors/code-validation.ts'
import { embeddingGenerationProcessor } from './processors/embedding-generation.ts'
import { ragSearchProcessor } from './processors/rag-search.ts'
import type { Handler, Handlers } from './run-job.ts'

/** The processor of each action with the schema its input is parsed by, over one process's context. */
export function createHandlers({ context, models }: { context: Context; models: Models }): Handlers {
  const { config, knex, log, redis, prefix, events, jobs, records, users, ledger, threadStore, transaction, onClose } =
    context
  const { access, bulk } = records
  const rag = createRag({ knex, access, models, log })
  onClose(rag.close)
  const checkpoints = createCheckpoints({
    databaseUrl: config.databaseUrl,
    schema: config.databaseSchema,
    knex,
    log
  })
  onClose(checkpoints.close)
  const syntax = createSyntaxChecker()
  onClose(syntax.close)
  return {
    embedding_generation: handler(
      embeddingInputSchema,
      embeddingGenerationProcessor({ ...rag, models, events, access, people: users, enqueue: jobs.enqueueEmbeddings })
    ),
    chat_completion: handler(
      chatInputSchema,
      chatCompletionProcessor({
        models,
        ledger,
        spending: createJobSpending({ knex }),
        rag,
        records,
        users,
        threads: threadStore,
        deltas: createDeltas({ redis, prefix, log }),
        checkpoints,
        transaction
      })
    ),
    code_validation: handler(
      codeValidationInputSchema,
      codeValidationProcessor({
        models,
        access,
        users,
        syntax,
        results: createValidationResults({ knex })
      })
    ),
    rag_search: handler(ragInputSchema, ragSearchProcessor({ ...rag, people: users })),
    bulk_create: handler(bulkInputSchema, bulkCreateProcessor({ bulk, users }))
  }
}

/** Parses again what was parsed at admission: queued jobs outlive deploys. */
function handler<Input>(schema: z.ZodType<Input>, process: Processor<Input>): Handler {
  return {
    parse(input) {
      const parsed = schema.safeParse(input, { error: houseMessage })
      if (parsed.success) return { ok: true, input: parsed.data }
      const wrong = fieldErrors(parsed.error).map(({ path, message }) => `${path} ${message}`)
      return { ok: false, problem: `the job's input is not valid any more: ${wrong.join('; ')}` }
    },
    process: process as Processor
  }
}
