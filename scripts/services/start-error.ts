/** Something the person who started the command can put right: shown as its message alone, without a stack. */
export function startError(message: string, cause?: unknown): Error {
  const error = new Error(message, cause === undefined ? undefined : { cause })
  error.name = 'StartError'
  return error
}

export function isStartError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'StartError'
}
