import type { ChatMessage, ToolCall } from '../../lib/models/client.ts'
import type { AgentName, ChatResult } from '../../lib/schemas/chat.ts'
import type { SourceType } from '../../lib/schemas/sources.ts'
import type { StagedWrite } from './writes.ts'

/** Text that an answer may rest on, under the number by which it is cited. */
export type Hit = {
  n: number
  sourceType: SourceType
  sourceId: string
  title: string
  content: string
  score: number
}

export type Limit = NonNullable<ChatResult['limitReached']>
export type Step = ChatResult['steps'][number]

/** What a run has used so far, as its last finished step saw it. Money in pico-USD, as text because it is kept as JSON. */
export type Spent = { tokens: number; outputTokens: number; costPico: string; uncertainPico: string }

/**
 * The state of a run between the steps of its graph: plain JSON, because the checkpointer keeps it. Whatever a model
 * call depends on is here, so that a run that is resumed asks the same again and is answered from the ledger.
 */
export type ChatState = {
  /** `null` until the run is routed */
  agent: AgentName | null
  /** whether tools that change records are offered */
  mayWrite: boolean
  /** what the model is told, in order */
  messages: ChatMessage[]
  hits: Hit[]
  /** calls of the last answer that are still to be carried out */
  calls: ToolCall[]
  /** changes that are committed with the run's end */
  staged: StagedWrite[]
  /** replaces the thread's summary when the run ends */
  summary: { text: string; through: number } | null
  /** what the model answered at last, as it came */
  draft: string
  answer: Pick<ChatResult, 'message' | 'citations' | 'unsupported'> | null
  limitReached: Limit | null
  /** how often the model was asked for an answer */
  rounds: number
  /** nodes that were run */
  nodes: number
  steps: Step[]
  elapsedMs: number
  spent: Spent
}

export type NodeName = 'route' | 'retrieve' | 'respond' | 'tools' | 'finish'
/** A step: takes the state and returns what changes. */
export type Node = (state: ChatState) => Promise<Partial<ChatState>>

const nothingSpent: Spent = { tokens: 0, outputTokens: 0, costPico: '0', uncertainPico: '0' }

export const initialState: ChatState = {
  agent: null,
  mayWrite: false,
  messages: [],
  hits: [],
  calls: [],
  staged: [],
  summary: null,
  draft: '',
  answer: null,
  limitReached: null,
  rounds: 0,
  nodes: 0,
  steps: [],
  elapsedMs: 0,
  spent: nothingSpent
}
