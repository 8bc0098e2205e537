import type { Deltas } from '../../lib/events/deltas.ts'
import type { ChatMessage, Models } from '../../lib/models/client.ts'
import type { PassedChat, PassedChatResult } from '../../lib/schemas/wire-chat.ts'
import type { Processor } from '../processor.ts'

type Needs = { models: Pick<Models, 'chat' | 'chatModel'>; deltas: Deltas }

/**
 * Hands a caller's messages and parameters to the provider, with nothing of the platform's in them, and tells its text
 * while it comes.
 * Safe to run twice: an answer that is paid for is used again.
 */
export function passedChatProcessor({ models, deltas }: Needs): Processor<PassedChat, PassedChatResult> {
  return async ({ id, run, input, signal, partial }) => {
    const { messages, parameters, maxOutputTokens } = input
    const writer = deltas.open(id, run)
    let told = ''
    try {
      const { content, refusal, toolCalls, finishReason, usage } = await models.chat({
        step: 'answer',
        messages: messages as unknown as ChatMessage[],
        passed: parameters,
        maxOutputTokens,
        signal,
        onDelta(text) {
          told += text
          writer.append(text)
          partial(told)
        }
      })
      // What turned out to be a thought was told before that was known.
      if (told !== content) {
        writer.reset()
        writer.append(content)
      }
      const { promptTokens, cachedTokens, completionTokens, reasoningTokens } = usage
      return {
        result: {
          model: models.chatModel,
          message: { role: 'assistant', content, refusal },
          toolCalls,
          finishReason,
          usage: { promptTokens, cachedTokens, completionTokens, reasoningTokens }
        }
      }
    } finally {
      await writer.close()
    }
  }
}
