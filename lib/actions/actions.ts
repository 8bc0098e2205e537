import { z } from 'zod'
import { bulkCreate } from './bulk-create.ts'
import { chatCompletion } from './chat-completion.ts'
import { codeValidation } from './code-validation.ts'
import type { ActionDefinition } from './define-action.ts'
import { embeddingGeneration } from './embedding-generation.ts'
import { ragSearch } from './rag-search.ts'

/** Every AI action, in the order in which they are listed anywhere. */
const definitions = [embeddingGeneration, chatCompletion, codeValidation, ragSearch, bulkCreate] as const
type Definition = (typeof definitions)[number]

/** The AI-bearing actions: each has one route, one queue, one worker pool and one token bucket of the same name. */
export type AiAction = Definition['name']
type DefinitionOf<A extends AiAction> = Extract<Definition, { name: A }>

export const aiActions: readonly AiAction[] = definitions.map(({ name }) => name)
export const aiActionSchema = z.enum(aiActions as [AiAction, ...AiAction[]])

/** The actions of the gate: every request is an `api_call`, some are an AI action besides. */
export const gateActions = ['api_call', ...aiActions] as const
export const gateActionSchema = z.enum(gateActions as unknown as ['api_call', ...AiAction[]])
export type GateAction = z.infer<typeof gateActionSchema>

/** A job's input as its processor gets it, and what that returns. `ResultOf` is the result of a submission by its route. */
export type InputOf<A extends AiAction> = z.output<NonNullable<DefinitionOf<A>['stored']>>
export type JobResultOf<A extends AiAction> = z.output<NonNullable<DefinitionOf<A>['storedResult']>>
export type ResultOf<A extends AiAction> = z.output<DefinitionOf<A>['result']>

const byName = new Map<AiAction, ActionDefinition<AiAction>>(
  definitions.map((definition) => [definition.name, definition])
)

/** The definition of an action, for what treats them all alike. */
export const actionOf = (action: AiAction): ActionDefinition<AiAction> =>
  byName.get(action) as ActionDefinition<AiAction>

/** Something for each action, made from its definition. */
export const forEachAction = <T>(make: (definition: ActionDefinition<AiAction>) => T): Record<AiAction, T> =>
  Object.fromEntries(aiActions.map((action) => [action, make(actionOf(action))])) as Record<AiAction, T>
