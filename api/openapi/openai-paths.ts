import { z } from 'zod'
import type { Endpoint } from '../endpoint.ts'
import { limitHeaderRefs, operationOf } from './operation.ts'
import type { SchemaBook } from './schemas.ts'

const errorSchema = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string().nullable()
    })
  })
  .meta({ id: 'OpenAiError' })

const name = 'OpenAiError'

/** The one answer of everything that goes wrong below `/v1`. */
export const openAiParts = (book: SchemaBook) => ({
  [name]: {
    description: "In the words of OpenAI's API",
    headers: limitHeaderRefs,
    content: { 'application/json': { schema: book.describe(errorSchema, 'output') } }
  }
})

/** A route of OpenAI's wire format: its errors are that API's, whatever their status. */
export function openAiOperation(endpoint: Endpoint, book: SchemaBook) {
  const { operationId, parameters, responses, ...operation } = operationOf(endpoint, book)
  return {
    operationId: `openAi${operationId.charAt(0).toUpperCase()}${operationId.slice(1)}`,
    ...operation,
    // An answer is held until there is one: there is nothing to prefer.
    parameters: parameters.filter(({ name: parameter }) => parameter !== 'Prefer'),
    responses: {
      ...Object.fromEntries(
        Object.keys(endpoint.responses).map((status) => [status, responses[status as keyof typeof responses]])
      ),
      default: { $ref: `#/components/responses/${name}` }
    }
  }
}
