import { setImmediate as nextTurn } from 'node:timers/promises'
import { embed } from './embed.ts'
import type { EmbeddingsCall } from './embeddings-request.ts'

/** Whoever shares the process gets a turn after so many milliseconds of computing. */
const TURN_MS = 10

/**
 * The answer of `POST /v1/embeddings`, as JSON.
 * @throws the signal's reason when it aborts in between
 */
export async function embeddingsBody(call: EmbeddingsCall, signal: AbortSignal): Promise<string> {
  const { model, texts, promptTokens, dimensions, encoding } = call
  const data: unknown[] = []
  let turnBegan = performance.now()
  for (const [index, text] of texts.entries()) {
    const vector = embed(text, dimensions)
    data.push({ object: 'embedding', index, embedding: encoding === 'base64' ? base64Of(vector) : Array.from(vector) })
    if (performance.now() - turnBegan < TURN_MS) continue
    await nextTurn()
    signal.throwIfAborted()
    turnBegan = performance.now()
  }
  const usage = { prompt_tokens: promptTokens, total_tokens: promptTokens }
  return JSON.stringify({ object: 'list', data, model: model.id, usage })
}

/** Little-endian float32, whatever the machine. */
function base64Of(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4)
  for (let at = 0; at < vector.length; at++) bytes.writeFloatLE(vector[at] as number, at * 4)
  return bytes.toString('base64')
}
