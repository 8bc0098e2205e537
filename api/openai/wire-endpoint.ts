import { z } from 'zod'
import { type Endpoint, endpoint, type EndpointInput, type Reply } from '../endpoint.ts'
import { showRequestLimits } from './request-limits.ts'

type Output<S> = S extends z.ZodType ? z.output<S> : undefined
type Definition<B extends z.ZodType | undefined, Q extends z.ZodType> = Omit<
  Endpoint,
  'params' | 'query' | 'body' | 'handler' | 'tag' | 'access'
> & {
  body?: B
  query?: Q
  handler: (input: EndpointInput<Record<string, string>, Output<Q>, Output<B>>) => Promise<Reply>
}

/** What may stand behind a `?`: that API ignores parameters that it does not know. */
const anyQuery = z.object({})

/** A route below `/v1`: for everybody with a credential, with that API's own fields for the rate limits on its answers. */
export function wireEndpoint<B extends z.ZodType | undefined = undefined, Q extends z.ZodType = typeof anyQuery>(
  definition: Definition<B, Q>
): Endpoint {
  return endpoint({
    ...(definition as Definition<z.ZodType, z.ZodType>),
    params: z.record(z.string(), z.string()),
    query: definition.query ?? anyQuery,
    tag: 'OpenAI',
    access: 'user',
    async handler(input) {
      const reply = await definition.handler(input as never)
      if (reply !== 'streamed') showRequestLimits(input.res)
      return reply
    }
  })
}
