import type { Context } from '../../lib/context.ts'
import { newId } from '../../lib/ids.ts'
import type { Handlers } from '../../workers/run-job.ts'
import { createRecords } from '../../lib/records/records.ts'
import type { AiAction } from '../../lib/actions/actions.ts'
import type { JobView } from '../../lib/schemas/job.ts'
import { createEventStore } from '../../lib/store/events/events.ts'
import { offlineModels } from './models.ts'
import type { Processor } from '../../workers/processor.ts'
import { createRunJob } from '../../workers/run-job.ts'
import { createRunningJobs } from '../../workers/running-jobs.ts'

export type AgentStage = ReturnType<typeof createAgentStage>

/**
 * What processors that ask a model need, over a real database and an offline provider of the test's own, and a way to
 * run one delivery of a job without a queue.
 */
export function createAgentStage(context: Context) {
  const { provider, tracker, models } = offlineModels(context, { timeoutMs: 30_000 })
  const records = createRecords({
    knex: context.knex,
    transaction: context.transaction,
    events: context.events,
    eventStore: createEventStore({ knex: context.knex }),
    texts: { changed: async () => undefined, removed: async () => undefined },
    ownsJob: async () => false
  })
  const running = createRunningJobs()

  return {
    provider,
    tracker,
    models,
    records,
    running,

    async submit(userId: string, action: AiAction, input: unknown, threadId?: string): Promise<string> {
      const actor = { id: userId, role: 'user' as const, credential: { kind: 'api_key' as const, id: newId() } }
      const { job } = await context.jobs.admit({ actor, action, input, ...(threadId ? { threadId } : {}) })
      return job.id
    },

    /** One delivery of a job, as a pool would make it. */
    async deliver(jobId: string, action: AiAction, processor: Processor<never>): Promise<JobView> {
      const handlers = {
        [action]: { parse: (input: unknown) => ({ ok: true, input }), process: processor as Processor }
      } as unknown as Handlers
      const { lifecycle, jobStore: store, progress, log } = context
      const runJob = createRunJob({ lifecycle, store, progress, tracker, running, handlers, worker: 'test', log })
      await runJob(jobId)
      return (await store.find(jobId)) as JobView
    }
  }
}
