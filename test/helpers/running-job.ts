import type { Context } from '../../lib/context.ts'
import { newId } from '../../lib/ids.ts'
import type { AiAction } from '../../lib/actions/actions.ts'
import type { UsageScope } from '../../lib/usage/tracker.ts'

/** A job whose first run is in charge, without a worker that runs it: the scope of calls that a test makes for it. */
export async function runningJob(
  { knex, jobStore }: Pick<Context, 'knex' | 'jobStore'>,
  userId: string,
  { action = 'chat_completion', decision }: { action?: AiAction; decision?: { id: string; at: Date } } = {}
): Promise<UsageScope> {
  const jobId = newId()
  await knex.transaction(async (trx) => {
    await jobStore.insert(trx, { id: jobId, userId, action, origin: 'user', input: {}, maxAttempts: 1, decision })
    await trx('jobs').where({ id: jobId }).update({ status: 'active', run: 1, attempts: 1, started_at: trx.fn.now() })
  })
  return { jobId, userId, action, run: 1 }
}
