import type { AnswerStream } from '../answer-stream.ts'
import type { Models } from '../../../lib/models/client.ts'
import type { Person } from '../../../lib/records/viewer.ts'
import type { Access } from '../../../lib/records/access.ts'
import type { ChatInput } from '../../../lib/schemas/chat.ts'
import type { Memory } from '../../../lib/store/records/threads.ts'
import type { Logger } from '../../../lib/logger.ts'
import type { Prefetch } from '../prefetch.ts'
import type { RunBudget } from '../run-budget.ts'
import type { References } from '../references.ts'
import type { Toolset } from '../tools/toolset.ts'

/** What the nodes of one run share. */
export type Run = {
  person: Person
  input: ChatInput
  /** what is remembered of the thread; `undefined` for a new one */
  memory: Memory | undefined
  models: Pick<Models, 'chat'>
  toolset: Toolset
  purse: RunBudget
  findFirst: Prefetch
  references: References
  access: Pick<Access, 'visibleCourse'>
  /** the day on which the run was asked for, so that one that is resumed asks the same */
  today: string
  stream: AnswerStream
  signal: AbortSignal
  log: Logger
}
