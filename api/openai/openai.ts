import type { Context } from '../../lib/context.ts'
import type { Endpoint } from '../endpoint.ts'
import { createModelNames, modelEndpoints } from './models.ts'

/** Where OpenAI's wire format is served. */
export const openAiBasePath = '/v1'

/** The routes of OpenAI's API, over the same jobs as the platform's own. */
export function openAiEndpoints({ context }: { context: Pick<Context, 'config'> }): Endpoint[] {
  const models = createModelNames(context.config)
  return modelEndpoints({ models })
}
