import { isStartError } from '../services/start-error.ts'

/** What to tell the person about a failed start: the message alone when they can put it right, else the stack. */
export function explain(error: unknown): string {
  if (isStartError(error) || (error instanceof Error && error.name === 'ConfigError')) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
