import { AppError } from '../errors/app-error.ts'
import { isOutage } from '../errors/outage.ts'
import { TooComplex } from '../sharing/thread-pool.ts'
import { JobError } from '../errors/job-error.ts'

/**
 * What a thrown value means for the job. Unknown errors are retried, because a bug that hits every time ends with the
 * attempts, and one that does not should not cost the job; their message is not shown.
 */
export function classify(error: unknown): JobError {
  if (error instanceof JobError) return error
  if (error instanceof AppError) {
    return new JobError(error.code, error.message, { retryable: error.status >= 500, cause: error })
  }
  if (error instanceof TooComplex) {
    return new JobError('too_complex', 'the text takes more time or memory than a job may have', {
      retryable: false,
      cause: error
    })
  }
  if (isOutage(error)) {
    return new JobError('unavailable', 'a service the job needs was away', { retryable: true, cause: error })
  }
  const code = (error as { code?: unknown } | null)?.code
  if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) {
    return new JobError('database_error', 'the database refused the write', { retryable: false, cause: error })
  }
  return new JobError('internal', 'the job met an unexpected error', { retryable: true, cause: error })
}
