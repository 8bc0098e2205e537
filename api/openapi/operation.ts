import type { z } from 'zod'
import type { Endpoint } from '../endpoint.ts'
import { problemName, problemsOf } from './problems.ts'
import { drawnBody } from './request-bodies.ts'
import type { JsonSchema, SchemaBook } from './schemas.ts'

type Parameter = { name: string; in: string; required?: boolean; description?: unknown; schema: JsonSchema }

/** Fields with the gate's findings, on every answer. */
const limitHeaders = [
  'RateLimit-Policy',
  'RateLimit',
  'X-RateLimit-Limit',
  'X-RateLimit-Remaining',
  'X-RateLimit-Reset'
]

export const limitHeaderRefs = Object.fromEntries(
  limitHeaders.map((name) => [name, { $ref: `#/components/headers/${name}` }])
)

/** An endpoint as an OpenAPI operation object. */
export function operationOf(endpoint: Endpoint, book: SchemaBook) {
  const { method, path, summary, tag, access, body, responses } = endpoint
  return {
    operationId: operationId(method, path),
    summary,
    tags: [tag],
    security: access === 'public' ? [] : [{ bearer: [] }],
    ...(access === 'admin' ? { description: 'For administrators.' } : {}),
    parameters: [...pathParameters(path), ...queryParameters(endpoint.query, book), ...headerParameters(endpoint)],
    ...(body
      ? {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: book.describe(drawnBody(body), 'input') } }
          }
        }
      : {}),
    responses: {
      ...Object.fromEntries(Object.entries(responses).map(([status, reply]) => [status, replyOf(reply, book)])),
      ...Object.fromEntries(
        problemsOf(endpoint)
          .filter((status) => !(status in responses))
          .map((status) => [status, { $ref: `#/components/responses/${problemName(status)}` }])
      )
    }
  }
}

function replyOf({ description, schema, headers = {} }: Endpoint['responses'][number], book: SchemaBook) {
  const own = Object.entries(headers).map(([name, text]) => [name, { description: text, schema: { type: 'string' } }])
  return {
    description,
    headers: { ...Object.fromEntries(own), ...limitHeaderRefs },
    ...(schema ? { content: { 'application/json': { schema: book.describe(schema, 'output') } } } : {})
  }
}

/** `/goals/:id` as OpenAPI writes it: `/goals/{id}`. */
export const templateOf = (path: string): string => path.replace(/:(\w+)/g, '{$1}')

/** `get /courses/:id/documents` becomes `getCoursesByIdDocuments`. */
function operationId(method: string, path: string): string {
  const words = path
    .split('/')
    .filter(Boolean)
    .map((segment) => (segment.startsWith(':') ? `by-${segment.slice(1)}` : segment))
    .flatMap((segment) => segment.split('-'))
  return method + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')
}

function pathParameters(path: string): Parameter[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => {
    const isId = /(^id|Id)$/.test(name)
    return { name, in: 'path', required: true, schema: { type: 'string', ...(isId ? { format: 'uuid' } : {}) } }
  })
}

function queryParameters(query: z.ZodType | undefined, book: SchemaBook): Parameter[] {
  if (!query) return []
  const { properties = {}, required = [] } = book.describe(query, 'input') as {
    properties?: Record<string, JsonSchema>
    required?: string[]
  }
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: 'query',
    ...(required.includes(name) ? { required: true } : {}),
    ...(description === undefined ? {} : { description }),
    schema
  }))
}

function headerParameters({ method, path, limit }: Endpoint): Parameter[] {
  const header = (name: string, description: string): Parameter => ({
    name,
    in: 'header',
    description,
    schema: { type: 'string' }
  })
  const list: Parameter[] = []
  if (method === 'patch') list.push(header('If-Match', 'the `ETag` of what was read; without it the last write wins'))
  const isSubmission = limit !== undefined && limit !== 'auth'
  if (isSubmission)
    list.push(header('Idempotency-Key', 'makes a repeated submission answer with the first job, for 24 h'))
  if (isSubmission || (method === 'get' && path === '/jobs/:id')) {
    list.push(header('Prefer', '`wait=N` holds the answer until the job ends, at most 30 s (RFC 7240)'))
  }
  return list
}
