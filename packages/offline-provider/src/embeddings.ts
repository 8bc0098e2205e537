import { embed } from './embed.ts'
import type { EmbeddingsCall } from './embeddings-request.ts'

/** The answer of `POST /v1/embeddings`, as JSON. */
export function embeddingsBody({ model, texts, promptTokens, dimensions, encoding }: EmbeddingsCall): string {
  const data = texts.map((text, index) => {
    const vector = embed(text, dimensions)
    return { object: 'embedding', index, embedding: encoding === 'base64' ? base64Of(vector) : Array.from(vector) }
  })
  const usage = { prompt_tokens: promptTokens, total_tokens: promptTokens }
  return JSON.stringify({ object: 'list', data, model: model.id, usage })
}

/** Little-endian float32, whatever the machine. */
function base64Of(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4)
  for (let at = 0; at < vector.length; at++) bytes.writeFloatLE(vector[at] as number, at * 4)
  return bytes.toString('base64')
}
