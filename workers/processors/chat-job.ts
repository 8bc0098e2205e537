import type { ChatInput, ChatResult } from '../../lib/schemas/chat.ts'
import type { AgentTurn, AgentTurnResult, PassedChat, PassedChatResult } from '../../lib/schemas/wire-chat.ts'
import type { JobRun, Processor, ProcessorOf } from '../processor.ts'

/** A chat is the business of an agent, unless its messages are meant for the provider's model. */
export function chatJobProcessor({
  agents,
  passed
}: {
  agents: Processor<ChatInput | AgentTurn, ChatResult | AgentTurnResult>
  passed: Processor<PassedChat, PassedChatResult>
}): ProcessorOf<'chat_completion'> {
  return async (run) => {
    const { input } = run
    return 'messages' in input
      ? await passed(run as JobRun<PassedChat>)
      : await agents(run as JobRun<ChatInput | AgentTurn>)
  }
}
