import { problemSchema } from '../../lib/schemas/problem.ts'
import type { Endpoint } from '../endpoint.ts'
import { openAiBasePath } from '../openai/openai.ts'
import { limitHeaderRefs, operationOf, templateOf } from './operation.ts'
import { openAiOperation, openAiParts } from './openai-paths.ts'
import { type ProblemStatus, problemName, problemResponses } from './problems.ts'
import { createSchemaBook } from './schemas.ts'
import { servicePaths } from './service-paths.ts'

const description = `Learning goals, and every AI action as a durable job.

Send \`Authorization: Bearer <token>\`: a token of \`POST /api/v1/auth/token\` or an API key. An AI submission answers 202
with a job, which is read at \`/api/v1/jobs/{id}\`, pushed over the WebSocket \`/ws\` and published on RabbitMQ.
Every answer tells what is left of the rate limits it counted against.`

const headers = {
  'RateLimit-Policy': 'each bucket with its capacity `q` and the seconds `w` in which it fills',
  RateLimit: 'each bucket with the tokens left `r` and the seconds `t` to the next one',
  'X-RateLimit-Limit': 'capacity of the bucket with the smallest share left',
  'X-RateLimit-Remaining': 'tokens left in that bucket',
  'X-RateLimit-Reset': 'seconds to the next token in that bucket'
}

/** The OpenAPI 3.1 document of the mounted endpoints and the routes at the root. */
export function openApiDocument({
  endpoints,
  basePath,
  openAi = [],
  version
}: {
  endpoints: Endpoint[]
  basePath: string
  /** those of OpenAI's wire format */
  openAi?: Endpoint[]
  version: string
}): Record<string, unknown> {
  const book = createSchemaBook()
  const problem = book.describe(problemSchema, 'output')
  const paths: Record<string, Record<string, unknown>> = { ...servicePaths }
  for (const endpoint of endpoints) {
    const path = basePath + templateOf(endpoint.path)
    paths[path] = { ...paths[path], [endpoint.method]: operationOf(endpoint, book) }
  }
  for (const endpoint of openAi) {
    const path = openAiBasePath + templateOf(endpoint.path)
    paths[path] = { ...paths[path], [endpoint.method]: openAiOperation(endpoint, book) }
  }
  const tags = [...new Set([...endpoints, ...openAi].map(({ tag }) => tag)), 'Service']
  return {
    openapi: '3.1.0',
    info: { title: 'AI Goals Tracker', version, description, license: { name: 'MIT', identifier: 'MIT' } },
    tags: tags.map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'A token of `POST /api/v1/auth/token` (12 h), or an API key (`gk_…`)'
        }
      },
      headers: Object.fromEntries(
        Object.entries(headers).map(([name, text]) => [name, { description: text, schema: { type: 'string' } }])
      ),
      responses: {
        ...(openAi.length > 0 ? openAiParts(book) : {}),
        ...Object.fromEntries(
          Object.entries(problemResponses).map(([status, text]) => [
            problemName(Number(status) as ProblemStatus),
            {
              description: text,
              headers: {
                ...limitHeaderRefs,
                ...(status === '429' || status === '503' ? { 'Retry-After': retryAfter } : {})
              },
              content: { 'application/problem+json': { schema: problem } }
            }
          ])
        )
      },
      schemas: book.components
    }
  }
}

const retryAfter = { description: 'whole seconds to wait', schema: { type: 'integer', minimum: 0 } }
