import { z } from 'zod'

/** The records whose text is embedded. */
const sourceTypes = ['goal', 'task', 'code_snapshot', 'document'] as const
export const sourceTypeSchema = z.enum(sourceTypes)
export type SourceType = z.infer<typeof sourceTypeSchema>
