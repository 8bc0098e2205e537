import type { Models } from '../models/client.ts'
import { estimateTokens } from '../text/token-estimate.ts'

export type Embedder = Pick<Models, 'embed' | 'embeddingModel'>

/** One call stays well below what the provider takes in one request: 2,048 inputs and 300,000 tokens. */
const batchTexts = 128
const batchTokens = 100_000

/**
 * Embeds texts in as many tracked calls as their sizes ask for, in order.
 * @param step name of the calls; each has its number after it, so that a retried job finds those that are paid for
 */
export async function embedAll(
  models: Embedder,
  texts: string[],
  { step, signal, onProgress }: { step: string; signal: AbortSignal; onProgress?: (done: number) => void }
): Promise<{ vectors: number[][]; reused: number }> {
  const vectors: number[][] = []
  let reused = 0
  for (const [index, batch] of batches(texts).entries()) {
    const answer = await models.embed({ step: index === 0 ? step : `${step}:${index}`, texts: batch, signal })
    vectors.push(...answer.vectors)
    reused += answer.reused
    onProgress?.(vectors.length)
  }
  return { vectors, reused }
}

function batches(texts: string[]): string[][] {
  const result: string[][] = []
  let tokens = 0
  for (const text of texts) {
    const more = estimateTokens(text)
    const last = result.at(-1)
    if (last && last.length < batchTexts && tokens + more <= batchTokens) {
      last.push(text)
      tokens += more
    } else {
      result.push([text])
      tokens = more
    }
  }
  return result
}

/** The direction that vectors have in common, of length 1; `undefined` for none. */
export function meanVector(vectors: number[][]): number[] | undefined {
  const [first] = vectors
  if (!first || vectors.length === 1) return first
  const sum = first.map((_, index) => vectors.reduce((total, vector) => total + (vector[index] as number), 0))
  const length = Math.hypot(...sum)
  return length === 0 ? first : sum.map((value) => value / length)
}
