import type { ChatMessage } from '../../lib/models/client.ts'
import type { ChatResult } from '../../lib/schemas/chat.ts'
import type { SourceType } from '../../lib/schemas/sources.ts'
import type { Plan } from './plan.ts'
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

/** What a tool answered, as the model reads it: JSON, or passages by their numbers. */
export type ToolResult = { tool: string; content: string }

export type Limit = NonNullable<ChatResult['limitReached']>
export type Step = ChatResult['steps'][number]

/** What a run has used so far, as its last finished step saw it. Money in pico-USD, as text because it is kept as JSON. */
export type Spent = { tokens: number; outputTokens: number; costPico: string; uncertainPico: string }

/**
 * The state of a run between the steps of its graph: plain JSON, because the checkpointer keeps it. Whatever a model
 * call depends on is here, so that a run that is resumed asks the same again and is answered from the ledger.
 */
export type ChatState = {
  /** what the run is to do, settled before it reads what others wrote; `null` until then */
  plan: Plan | null
  /** what a model that writes is told before the message: its instructions, and what was said before */
  messages: ChatMessage[]
  hits: Hit[]
  /** what tools answered and what became of the changes that were asked for */
  results: ToolResult[]
  /** changes that are committed with the run's end */
  staged: StagedWrite[]
  /** what is saved and what is not, in words of the platform; `null` where no changes were asked for */
  report: string | null
  /** replaces the thread's summary when the run ends */
  summary: { text: string; through: number } | null
  /** what the model answered at last, as it came */
  draft: string
  answer: Pick<ChatResult, 'message' | 'citations' | 'unsupported'> | null
  limitReached: Limit | null
  /** nodes that were run */
  nodes: number
  steps: Step[]
  elapsedMs: number
  spent: Spent
}

export type NodeName = 'route' | 'retrieve' | 'tools' | 'write' | 'respond' | 'finish'
/** A step: takes the state and returns what changes. */
export type Node = (state: ChatState) => Promise<Partial<ChatState>>

const nothingSpent: Spent = { tokens: 0, outputTokens: 0, costPico: '0', uncertainPico: '0' }

export const initialState: ChatState = {
  plan: null,
  messages: [],
  hits: [],
  results: [],
  staged: [],
  report: null,
  summary: null,
  draft: '',
  answer: null,
  limitReached: null,
  nodes: 0,
  steps: [],
  elapsedMs: 0,
  spent: nothingSpent
}
