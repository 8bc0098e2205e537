import type OpenAI from 'openai'
import { z } from 'zod'
import { agentNames } from '../../lib/schemas/chat.ts'
import type { Endpoint } from '../endpoint.ts'
import { wireEndpoint } from './wire-endpoint.ts'
import { modelNotFound } from './wire-error.ts'

/** Agents that answer under the name of a model. */
export const agentModels = [...agentNames, 'auto'] as const
export type AgentModel = (typeof agentModels)[number]

/** Which names may stand for `model` in a request, and what is behind them. */
export type ModelNames = ReturnType<typeof createModelNames>

/** Seconds since 1970; 2026-01-01. That API wants a date, and neither a provider's names nor the agents have one. */
const createdAt = 1_767_225_600

export function createModelNames({ chatModel, embeddingModel }: { chatModel: string; embeddingModel: string }) {
  const owned = (id: string, owner: string) =>
    ({ id, object: 'model', created: createdAt, owned_by: owner }) satisfies OpenAI.Model
  const all = [
    owned(chatModel, 'provider'),
    owned(embeddingModel, 'provider'),
    ...agentModels.map((name) => owned(name, 'ai-goals-tracker'))
  ]
  const isAgent = (name: string): name is AgentModel => (agentModels as readonly string[]).includes(name)

  return {
    all,

    /** @throws WireError 404 */
    find(id: string): OpenAI.Model {
      const found = all.find((model) => model.id === id)
      if (!found) throw modelNotFound(id)
      return found
    },

    /**
     * Who answers a chat.
     * @returns the agent of that name, or `undefined` for the provider's model
     * @throws WireError 404 for any other name
     */
    agentFor(model: string): AgentModel | undefined {
      if (isAgent(model)) return model
      if (model === chatModel) return undefined
      throw modelNotFound(model, model === embeddingModel ? `The model \`${model}\` does not chat.` : undefined)
    },

    /** @throws WireError 404 for every name but that of the embedding model */
    expectEmbedding(model: string): void {
      if (model === embeddingModel) return
      const isKnown = model === chatModel || isAgent(model)
      throw modelNotFound(model, isKnown ? `The model \`${model}\` makes no embeddings.` : undefined)
    }
  }
}

const modelSchema = z
  .object({ id: z.string(), object: z.literal('model'), created: z.int(), owned_by: z.string() })
  .meta({ id: 'OpenAiModel' })

/** `GET /v1/models` and `GET /v1/models/{model}`. */
export function modelEndpoints({ models }: { models: ModelNames }): Endpoint[] {
  return [
    wireEndpoint({
      method: 'get',
      path: '/models',
      summary: 'List the models: those of the provider, and the agents',
      responses: {
        200: {
          description: 'All of them',
          schema: z.object({ object: z.literal('list'), data: z.array(modelSchema) }).meta({ id: 'OpenAiModelList' })
        }
      },
      async handler() {
        return { status: 200, body: { object: 'list', data: models.all } satisfies ModelList }
      }
    }),
    wireEndpoint({
      method: 'get',
      path: '/models/:model',
      summary: 'Read a model',
      responses: { 200: { description: 'The model', schema: modelSchema } },
      async handler({ params }) {
        return { status: 200, body: models.find(params.model ?? '') satisfies OpenAI.Model }
      }
    })
  ]
}

type ModelList = Pick<OpenAI.ModelsPage, 'object' | 'data'>
