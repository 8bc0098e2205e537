import type { Context } from '../../lib/context.ts'
import type { DeltaFeed } from '../../lib/events/delta-feed.ts'
import type { JobWaiter } from '../../lib/events/job-waiter.ts'
import type { Endpoint } from '../endpoint.ts'
import type { Submit } from '../submit.ts'
import { chatEndpoint } from './chat-completions.ts'
import { embeddingEndpoint } from './embeddings.ts'
import { createLostAnswers } from './lost-answers.ts'
import { createModelNames, modelEndpoints } from './models.ts'
import { createServeJob } from './serve-job.ts'

/** Where OpenAI's wire format is served. */
export const openAiBasePath = '/v1'

type Needs = {
  context: Pick<Context, 'config' | 'jobs' | 'jobStore' | 'redis' | 'prefix'>
  submit: Submit
  waiter: JobWaiter
  deltas: Pick<DeltaFeed, 'follow'>
  goingAway: AbortSignal
}

/** The routes of OpenAI's API, over the same jobs as the platform's own. */
export function openAiEndpoints({ context, ...needs }: Needs): Endpoint[] {
  const { config, jobs, jobStore, redis, prefix } = context
  const models = createModelNames(config)
  const lost = createLostAnswers({ redis, prefix, jobs: jobStore })
  const serveJob = createServeJob({ jobs, lost, ...needs })
  return [
    ...modelEndpoints({ models }),
    chatEndpoint({ models, serveJob, deltas: needs.deltas }),
    embeddingEndpoint({ models, serveJob })
  ]
}
