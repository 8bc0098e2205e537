/** The message of a job's error when the provider refused: its status, and its code where it had one. */
export function refusalMessage(status: number, code: string | undefined): string {
  return `the model provider answered ${status}${code ? ` (${code})` : ''}`
}

/** What a provider answered, read from such a message; `undefined` when it is another. */
export function refusalIn(message: string): { status: number; code: string | undefined } | undefined {
  const [, status, code] = /^the model provider answered (\d{3})(?: \(([a-z_]+)\))?/.exec(message) ?? []
  return status === undefined ? undefined : { status: Number(status), code }
}
