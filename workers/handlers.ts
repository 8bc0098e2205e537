import type { z } from 'zod'
import { forEachAction } from '../lib/actions/actions.ts'
import { createSyntaxChecker } from '../lib/code/syntax-checker.ts'
import type { Context } from '../lib/context.ts'
import { createDeltas } from '../lib/events/deltas.ts'
import type { Models } from '../lib/models/client.ts'
import { createRag } from '../lib/rag/rag.ts'
import { fieldErrors } from '../lib/schemas/field-errors.ts'
import { houseMessage } from '../lib/schemas/messages.ts'
import { createJobSpending } from '../lib/store/money/job-spending.ts'
import { createValidationResults } from '../lib/store/jobs/validation-results.ts'
import { createCheckpoints } from './agents/checkpoints.ts'
import type { Processor, Processors } from './processor.ts'
import { bulkCreateProcessor } from './processors/bulk-create.ts'
import { chatCompletionProcessor } from './processors/chat-completion.ts'
import { chatJobProcessor } from './processors/chat-job.ts'
import { codeValidationProcessor } from './processors/code-validation.ts'
import { embeddingGenerationProcessor } from './processors/embedding-generation.ts'
import { passedChatProcessor } from './processors/passed-chat.ts'
import { ragSearchProcessor } from './processors/rag-search.ts'
import type { Handler, Handlers } from './run-job.ts'

/** The processor of each action with the schema its input is parsed by, over one process's context. */
export function createHandlers({ context, models }: { context: Context; models: Models }): Handlers {
  const { config, knex, log, redis, prefix, events, jobs, records, ledger, threadStore, transaction, onClose } = context
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
  const deltas = createDeltas({ redis, prefix, log })
  const processors: Processors = {
    embedding_generation: embeddingGenerationProcessor({
      ...rag,
      models,
      events,
      access,
      enqueue: jobs.enqueueEmbeddings
    }),
    chat_completion: chatJobProcessor({
      agents: chatCompletionProcessor({
        models,
        ledger,
        spending: createJobSpending({ knex }),
        rag,
        records,
        threads: threadStore,
        deltas,
        checkpoints,
        transaction
      }),
      passed: passedChatProcessor({ models, deltas })
    }),
    code_validation: codeValidationProcessor({ models, access, syntax, results: createValidationResults({ knex }) }),
    rag_search: ragSearchProcessor(rag),
    bulk_create: bulkCreateProcessor({ bulk })
  }
  return forEachAction(({ name, input, stored }) => handler(stored ?? input, processors[name] as Processor))
}

/** Parses again what was parsed at admission: queued jobs outlive deploys. */
function handler(schema: z.ZodType, process: Processor): Handler {
  return {
    parse(input) {
      const parsed = schema.safeParse(input, { error: houseMessage })
      if (parsed.success) return { ok: true, input: parsed.data }
      const wrong = fieldErrors(parsed.error).map(({ path, message }) => `${path} ${message}`)
      return { ok: false, problem: `the job's input is not valid any more: ${wrong.join('; ')}` }
    },
    process
  }
}
