import { z } from 'zod'
import type { Person } from '../../../lib/records/viewer.ts'
import type { ChatTool } from '../../../lib/models/client.ts'
import type { Found } from '../hits.ts'
import type { StagedWrite } from '../writes.ts'

/** What a call works on: always the records of the person the run is for, whatever the arguments say. */
export type ToolUse = {
  person: Person
  /** name of the model call that a search makes */
  step: string
  signal: AbortSignal
  /** changes that earlier calls of the run have made */
  staged: StagedWrite[]
}

export type ToolOutcome =
  /** texts to be numbered; the model reads them as passages */
  | { kind: 'found'; found: Found[] }
  /** records: `found` are their texts, and `tell` makes what the model reads of their numbers */
  | { kind: 'records'; found: Found[]; tell: (numbers: number[]) => unknown }
  /** a change that is committed with the run's end */
  | { kind: 'staged'; write: StagedWrite; tell: unknown }

export type AgentTool = {
  name: string
  description: string
  schema: z.ZodType
  /** texts that are embedded by a call with these arguments, for the purse */
  searches?: (args: unknown) => string
  /** @throws AppError or JobError that the model is told, when the arguments name what is not there */
  run(args: never, use: ToolUse): Promise<ToolOutcome>
}

/** Ties a tool's arguments to its schema. */
export function agentTool<S extends z.ZodType>(tool: {
  name: string
  description: string
  schema: S
  searches?: (args: z.output<S>) => string
  run(args: z.output<S>, use: ToolUse): Promise<ToolOutcome>
}): AgentTool {
  return tool as unknown as AgentTool
}

/** Checked when the call has come; to the model they would only be more tokens to pay for. */
const left = ['pattern', 'minLength', 'maxLength', 'id']

/** A tool as the model is offered it. */
export function offered({ name, description, schema }: AgentTool): ChatTool {
  const {
    $schema: _dialect,
    $ref,
    $defs,
    ...plain
  } = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      for (const key of left) delete (jsonSchema as Record<string, unknown>)[key]
    }
  })
  // A schema that has a name of its own comes as a reference to it; functions want the object itself.
  const parameters = ($ref && $defs?.[$ref.replace('#/$defs/', '')]) || plain
  return { type: 'function', function: { name, description, parameters: parameters as Record<string, unknown> } }
}
