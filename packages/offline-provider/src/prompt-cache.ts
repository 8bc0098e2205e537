import { createHash } from 'node:crypto'

const BLOCK = 128
const SMALLEST = 1_024
const MAX_BLOCKS = 200_000

export type PromptCache = ReturnType<typeof createPromptCache>

/**
 * Remembers the prompts of this provider by their leading blocks of 128 tokens.
 * Rule as the OpenAI API documents it: prompts of 1,024 tokens and more are cached, and the longest prefix that was
 * seen before counts as cached, in steps of 128 (https://platform.openai.com/docs/guides/prompt-caching).
 */
export function createPromptCache() {
  const seen = new Set<string>()
  return {
    /** How many leading tokens were seen before for the model; the prompt is remembered. */
    look(model: string, tokens: readonly number[]): number {
      if (tokens.length < SMALLEST) return 0
      const prefixes = prefixHashes(model, tokens)
      let known = 0
      while (known < prefixes.length && seen.has(prefixes[known] as string)) known += 1
      for (const prefix of prefixes) seen.add(prefix)
      forgetOldest(seen)
      const cached = known * BLOCK
      return cached >= SMALLEST ? cached : 0
    },
    clear: (): void => seen.clear()
  }
}

function prefixHashes(model: string, tokens: readonly number[]): string[] {
  const hash = createHash('sha256').update(model)
  const hashes: string[] = []
  for (let end = BLOCK; end <= tokens.length; end += BLOCK) {
    hash.update(new Uint8Array(Uint32Array.from(tokens.slice(end - BLOCK, end)).buffer))
    hashes.push(hash.copy().digest('base64'))
  }
  return hashes
}

function forgetOldest(seen: Set<string>): void {
  for (const prefix of seen) {
    if (seen.size <= MAX_BLOCKS) return
    seen.delete(prefix)
  }
}
