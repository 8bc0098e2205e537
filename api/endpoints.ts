import type { Context } from '../lib/context.ts'
import type { Gate } from '../lib/gate/gate.ts'
import { createReferences } from '../lib/records/references.ts'
import { createThreads } from '../lib/threads/threads.ts'
import type { AwaitJob } from './await-job.ts'
import type { Endpoint } from './endpoint.ts'
import { createKeySerializer } from './idempotency.ts'
import { adminEndpoints } from './routes/admin.ts'
import { aiEndpoints } from './routes/ai.ts'
import { jobEndpoints } from './routes/jobs.ts'
import { allRecordEndpoints } from './routes/records.ts'
import { threadEndpoints } from './routes/threads.ts'
import { usageEndpoints } from './routes/usage.ts'
import { webhookEndpoints } from './routes/webhooks.ts'
import { createSubmit, type Submit } from './submit.ts'

/** The one way in for jobs. */
export function contextSubmit({ jobs, redis, prefix, records, threadStore }: Context): Submit {
  return createSubmit({
    jobs,
    serializeKey: createKeySerializer({ redis, prefix }),
    checkReferences: createReferences({ access: records.access, threads: threadStore })
  })
}

/** Every resource's endpoints over a context, but those of credentials and users, which the app makes itself. */
export function contextEndpoints({
  context,
  gate,
  awaitJob,
  submit = contextSubmit(context)
}: {
  context: Context
  gate: Gate
  awaitJob: AwaitJob
  submit?: Submit
}): Endpoint[] {
  const { admin, jobs, undoJob, records, threadStore, budgetStore, deadLetterStore } = context
  return [
    ...allRecordEndpoints({ records }),
    ...aiEndpoints({ jobs, awaitJob, submit }),
    ...jobEndpoints({ jobs, undoJob, awaitJob }),
    ...threadEndpoints({ threads: createThreads({ store: threadStore }) }),
    ...webhookEndpoints(context.webhookRoom),
    ...usageEndpoints({ usage: admin.usage, budgetStore }),
    ...adminEndpoints({ admin, gate, jobs, budgetStore, deadLetterStore })
  ]
}
