import type OpenAI from 'openai'
import { adaptRequest } from '../../lib/models/adapt-request.ts'
import { asStream, type ChatCall, toRequest } from '../../lib/models/chat-request.ts'
import { type Answer, createChatReading } from '../../lib/models/reading/chat-reading.ts'
import { readChat } from '../../lib/models/reading/read-chat.ts'
import { isComplete } from '../../lib/models/reading/usage.ts'
import { andWithout, refusedParameters, type Without } from '../../lib/models/refused-parameters.ts'

export type Asked = {
  answer: Answer
  /** what it had to go without */
  without: Without
  /** pieces of text that came one after the other */
  pieces: number
  isStream: boolean
  tellsUsage: boolean
}

/**
 * Asks a chat model as the platform does, without booking anything.
 * @throws what the provider or the connection threw
 */
export async function askChat(
  openai: OpenAI,
  model: string,
  call: ChatCall,
  without: Without = new Set()
): Promise<Asked> {
  const request = toRequest(model, call)
  const grantedTokens = request.max_completion_tokens
  const body = adaptRequest(asStream(request), without)
  const limit = new AbortController()
  let response: Response
  try {
    const signal = AbortSignal.any([call.signal, limit.signal])
    response = await openai.chat.completions.create(body, { signal }).asResponse()
  } catch (error) {
    const more = refusedParameters(error, body).filter((name) => !without.has(name))
    if (more.length > 0) return await askChat(openai, model, call, andWithout(without, more))
    throw error
  }
  let pieces = 0
  const reading = createChatReading({
    step: call.step,
    isJson: call.responseFormat !== undefined,
    grantedTokens,
    thinksUnopened: false,
    onText: () => void (pieces += 1)
  })
  const outcome = await readChat(response.body, reading, { grantedTokens, abort: () => limit.abort() })
  if (!outcome.ok) throw outcome.error
  return {
    answer: outcome.answer,
    without,
    pieces,
    isStream: response.headers.get('content-type')?.includes('event-stream') ?? false,
    tellsUsage: isComplete(reading.told())
  }
}
