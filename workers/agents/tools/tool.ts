import type { z } from 'zod'
import type { Person } from '../../../lib/records/viewer.ts'
import type { Found } from '../hits.ts'
import type { ReadingToolName } from './reading-tools.ts'

/** What a call works on: always the records of the person the run is for, whatever the arguments say. */
export type ToolUse = {
  person: Person
  /** name of the model call that a search makes */
  step: string
  signal: AbortSignal
}

export type ToolOutcome =
  /** texts to be numbered; the model reads them as passages */
  | { kind: 'found'; found: Found[] }
  /** records: `found` are their texts, and `tell` makes what the model reads of their numbers */
  | { kind: 'records'; found: Found[]; tell: (numbers: number[]) => unknown }

export type AgentTool = {
  name: ReadingToolName
  schema: z.ZodType
  /** texts that are embedded by a call with these arguments, for the purse */
  searches?: (args: unknown) => string
  /** @throws AppError or JobError that the model is told, when the arguments name what is not there */
  run(args: never, use: ToolUse): Promise<ToolOutcome>
}

/** Ties a tool's arguments to its schema. */
export function agentTool<S extends z.ZodType>(tool: {
  name: ReadingToolName
  schema: S
  searches?: (args: z.output<S>) => string
  run(args: z.output<S>, use: ToolUse): Promise<ToolOutcome>
}): AgentTool {
  return tool as unknown as AgentTool
}
