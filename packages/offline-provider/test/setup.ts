import type { ExecutionContext } from 'ava'
import OpenAI from 'openai'
import { createOfflineProvider, type OfflineProviderOptions } from '../src/provider.ts'

export const CHAT = 'offline-chat-mini'
export const EMBEDDING = 'offline-embedding-small'

export type Way = 'in process' | 'over a port'
export const ways: readonly Way[] = ['in process', 'over a port']

/** A provider of its own and an SDK client that reaches it in one of the two ways; both end with the test. */
export async function start(t: ExecutionContext, way: Way, options: OfflineProviderOptions = {}) {
  const provider = createOfflineProvider(options)
  const common = { apiKey: options.apiKey ?? 'none', maxRetries: 0, logLevel: 'off' as const }
  if (way === 'in process') {
    const openai = new OpenAI({ ...common, baseURL: 'http://offline.invalid/v1', fetch: provider.fetch })
    return { provider, openai, url: 'http://offline.invalid/v1', fetch: provider.fetch }
  }
  const { url, close } = await provider.listen()
  t.teardown(close)
  return { provider, openai: new OpenAI({ ...common, baseURL: url }), url, fetch: globalThis.fetch }
}

export const user = (content: string): OpenAI.Chat.ChatCompletionMessageParam => ({ role: 'user', content })
export const system = (content: string): OpenAI.Chat.ChatCompletionMessageParam => ({ role: 'system', content })

/** A function tool whose properties are all required. */
export function tool(name: string, properties: Record<string, unknown>, required = Object.keys(properties)) {
  const parameters = { type: 'object', properties, required, additionalProperties: false }
  return { type: 'function' as const, function: { name, description: name.replaceAll('_', ' '), parameters } }
}

/** The tool calls of an answer, arguments parsed. */
export function callsOf(
  completion: OpenAI.Chat.ChatCompletion
): { name: string; arguments: Record<string, unknown> }[] {
  return (completion.choices[0]?.message.tool_calls ?? []).flatMap((call) =>
    call.type === 'function'
      ? [{ name: call.function.name, arguments: JSON.parse(call.function.arguments) as Record<string, unknown> }]
      : []
  )
}

/** Waits until a condition holds, looking every few milliseconds. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2))
}
