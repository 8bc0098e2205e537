import { z } from 'zod'
import { sourceTypeSchema } from './sources.ts'
import { idSchema, textSchema } from './text.ts'

const inputTextSchema = textSchema.min(1).max(200_000)

/** `POST /embeddings`: texts to embed, or a stored record whose vectors are to be made current. */
export const embeddingInputSchema = z
  .union([
    z.strictObject({
      input: z.union([inputTextSchema, z.array(inputTextSchema).min(1).max(100)]),
      encoding: z.enum(['float', 'base64']).optional()
    }),
    z.strictObject({ source: z.strictObject({ type: sourceTypeSchema, id: idSchema }) })
  ])
  .meta({ id: 'EmbeddingRequest' })

/** A job of OpenAI's wire format, which takes as many texts as that API does; its vectors are kept in base64. */
const wireEmbeddingSchema = z.strictObject({ texts: z.array(inputTextSchema).min(1).max(2_048) })
export const embeddingJobSchema = z.union([embeddingInputSchema, wireEmbeddingSchema])
export type EmbeddingInput = z.infer<typeof embeddingInputSchema>

export const embeddingResultSchema = z
  .object({
    model: z.string(),
    dimensions: z.int(),
    embeddings: z.array(z.union([z.array(z.number()), z.string()])).optional(),
    chunks: z.int().optional().describe('chunks the record consists of now'),
    reused: z.int().describe('vectors that were already stored and cost nothing')
  })
  .meta({ id: 'EmbeddingResult' })
export type EmbeddingResult = z.infer<typeof embeddingResultSchema>
