/** A failure of a job with a code for `error.code`. The message is shown to the job's owner: no secrets, no texts of others. */
export class JobError extends Error {
  readonly code: string
  readonly retryable: boolean
  /** wait at least this long before the next attempt, as the provider asked */
  readonly retryAfterMs: number | undefined
  /** false: the job waits without using up an attempt, because it was not its own try that failed */
  readonly takesAttempt: boolean

  constructor(
    code: string,
    message: string,
    {
      retryable,
      retryAfterMs,
      takesAttempt = true,
      cause
    }: { retryable: boolean; retryAfterMs?: number | undefined; takesAttempt?: boolean; cause?: unknown }
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'JobError'
    this.code = code
    this.retryable = retryable
    this.retryAfterMs = retryAfterMs
    this.takesAttempt = takesAttempt
  }
}
