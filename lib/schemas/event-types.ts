import { matches } from './event-pattern.ts'
import { aiActions } from '../actions/actions.ts'
import { sourceTypeSchema } from './sources.ts'

const records = ['user', 'course', 'goal', 'task', 'code_snapshot', 'document']

/** Every type of event that the platform itself tells (docs/events.md). */
export const eventTypes: readonly string[] = [
  ...records.flatMap((record) => ['created', 'updated', 'deleted'].map((verb) => `${record}.${verb}`)),
  'task.completed',
  ...sourceTypeSchema.options.map((source) => `${source}.embedded`),
  ...['started', 'completed', 'failed', 'cancelled'].flatMap((verb) =>
    aiActions.map((action) => `job.${verb}.${action}`)
  ),
  'rate_limit.blocked',
  'rate_limit.suspicious'
]

/** Whether there can be an event that a pattern asks for: one of the platform's, or one that clients tell. */
export const canMatch = (pattern: string): boolean =>
  pattern.startsWith('client.') || eventTypes.some((type) => matches(pattern, type))
