import { z } from 'zod'

/** The five AI-bearing actions: each has one queue, one worker pool and one token bucket of the same name. */
export const aiActions = [
  'embedding_generation',
  'chat_completion',
  'code_validation',
  'rag_search',
  'bulk_create'
] as const
export const aiActionSchema = z.enum(aiActions)
export type AiAction = z.infer<typeof aiActionSchema>

/** The six actions of the gate: every request is an `api_call`, some are an AI action besides. */
export const gateActions = ['api_call', ...aiActions] as const
export const gateActionSchema = z.enum(gateActions)
export type GateAction = z.infer<typeof gateActionSchema>
