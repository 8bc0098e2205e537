/** Of a chain of causes, which may be a ring. */
const deepest = 5

/**
 * An error as it may be logged. Messages of the database and of parsers quote what they were given, which is users'
 * text, so of errors that carry a code only the code, the names of tables and constraints, and the call sites are kept.
 */
export const describeError = (error: unknown): Record<string, unknown> => describe(error, 0)

function describe(error: unknown, depth: number): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error }
  const { code, table, constraint, column, routine } = error as Error & Record<string, unknown>
  const sites = error.stack
    ?.slice(error.stack.indexOf('\n    at ') + 1)
    .split('\n')
    .slice(0, 12)
    .join('\n')
  return {
    type: error.name,
    ...(code === undefined ? { message: error.message } : { code, table, constraint, column, routine }),
    stack: sites,
    ...(error.cause === undefined || depth === deepest ? {} : { cause: describe(error.cause, depth + 1) })
  }
}
