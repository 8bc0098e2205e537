import { type DestinationStream, type Logger, pino } from 'pino'
import { describeError } from './errors/describe-error.ts'
import { createLogLines } from './log-lines.ts'

export type { Logger } from 'pino'

/**
 * The log of one process: JSON lines, constant messages, facts as fields.
 * Errors are logged without what they may quote (`describe-error.ts`).
 * Goes to standard output unless told.
 * Credentials are cut out by name as a last line of defence; nothing should put them there in the first place.
 */
export function createLogger(
  { level, name }: { level: string; name: string },
  destination: DestinationStream = createLogLines()
): Logger {
  const options = {
    name,
    level,
    serializers: { err: describeError },
    redact: {
      paths: ['req.headers.authorization', 'req.headers.cookie', 'authorization', 'password', 'token', 'ticket', 'key'],
      censor: '[removed]'
    }
  }
  return pino(options, destination)
}
