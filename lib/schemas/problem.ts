import { z } from 'zod'

/** Every error body: a problem document (RFC 9457). */
export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    requestId: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    'violated-policies': z.array(z.string()).optional()
  })
  .meta({ id: 'Problem' })
export type Problem = z.infer<typeof problemSchema>
