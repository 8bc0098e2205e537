export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter'

const known: [RegExp, FinishReason][] = [
  [/length|max_?tokens|max_?output|limit/, 'length'],
  [/filter|safety|blocklist|prohibited|recitation|spii/, 'content_filter'],
  [/tool|function/, 'tool_calls']
]

/**
 * Why an answer ended, in the words of the API, whatever the server's are: `model_length` is Mistral's, `MAX_TOKENS` and
 * `SAFETY` are Gemini's, `end_turn` is Anthropic's.
 * @returns `error` for an end that is none; `undefined` when nothing is said
 */
export function readFinishReason(value: unknown): FinishReason | 'error' | undefined {
  if (typeof value !== 'string' || value.length > 100) return undefined
  const word = value.trim().toLowerCase()
  if (['', 'null', 'none'].includes(word)) return undefined
  if (word.includes('error')) return 'error'
  return known.find(([pattern]) => pattern.test(word))?.[1] ?? 'stop'
}
