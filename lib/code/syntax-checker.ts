import { AppError } from '../errors/app-error.ts'
import { JobError } from '../errors/job-error.ts'
import { createThreadPool, ThreadFailure, TooComplex } from '../sharing/thread-pool.ts'

/** The first thing a parser objects to; `line` and `column` count from 1. */
export type SyntaxProblem = { line: number; column: number; message: string }

export type ParsedLanguage = 'javascript' | 'typescript' | 'python'
export type SyntaxQuestion = { language: ParsedLanguage; source: string }
/** `unsure`: the parser objects to what may be newer than the parser. */
export type SyntaxAnswer = { problem: SyntaxProblem | undefined } | { unsure: true }

/** Not checked: no parser for the language, one that cannot tell, or one that did not come to an end. */
export type SyntaxVerdict =
  | { checked: true; problem: SyntaxProblem | undefined }
  | { checked: false; reason: 'language' | 'unsure' | 'time' | 'failure' }

export type SyntaxChecker = {
  /**
   * @param turn whose check it is: who waits is served in turn
   * @throws JobError `busy` when too many wait: the job can be tried again
   */
  check(language: string, source: string, turn: { owner: string; signal?: AbortSignal }): Promise<SyntaxVerdict>
  /** Ends the parser threads. */
  close(): Promise<void>
}

const parsed: readonly string[] = ['javascript', 'typescript', 'python'] satisfies ParsedLanguage[]

/** How soon a job that found too many waiting comes again. */
const busyForMs = 5_000

/**
 * Syntax checks on threads, person by person: a parser that backtracks without end on hostile input (Babel takes
 * exponential time for nested `f<T>(f<T>(…`) blocks nobody and is ended after its time. That grows with the source, so
 * that what is short and takes long is given up soon; whoever sent it goes after everybody else who waits.
 * @param baseMs what each check may take; a thread starts within it
 * @param perKibMs what each KiB of source adds: ten times what our parsers take for ordinary code
 */
export function createSyntaxChecker({
  baseMs = 2_000,
  perKibMs = 20
}: {
  baseMs?: number
  perKibMs?: number
} = {}): SyntaxChecker {
  const threads = createThreadPool<SyntaxQuestion, SyntaxAnswer>({
    name: 'syntax checks',
    entry: new URL('./syntax-thread.ts', import.meta.url),
    threads: 2,
    threadsOfOwner: 1,
    deadlineMs: baseMs,
    lateYield: true,
    // Enough for the largest source with its tree; a thread that wants more ends, not the process.
    memoryMb: 512
  })
  return {
    async check(language, source, { owner, signal }) {
      if (!parsed.includes(language)) return { checked: false, reason: 'language' }
      const question = { language: language as ParsedLanguage, source }
      const deadlineMs = baseMs + Math.ceil(source.length / 1_024) * perKibMs
      try {
        const answer = await threads.ask(owner, question, { deadlineMs, ...(signal ? { signal } : {}) })
        return 'unsure' in answer ? { checked: false, reason: 'unsure' } : { checked: true, problem: answer.problem }
      } catch (error) {
        if (error instanceof TooComplex) return { checked: false, reason: 'time' }
        if (error instanceof ThreadFailure) return { checked: false, reason: 'failure' }
        if (error instanceof AppError && error.code === 'busy') {
          throw new JobError('busy', 'too many syntax checks wait', {
            retryable: true,
            retryAfterMs: busyForMs,
            takesAttempt: false,
            cause: error
          })
        }
        throw error
      }
    },
    close: threads.close
  }
}
