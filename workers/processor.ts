import type { Knex } from 'knex'
import type { Logger } from '../lib/logger.ts'
import type { Actor } from '../lib/access/actor.ts'
import type { AiAction, InputOf, JobResultOf } from '../lib/actions/actions.ts'

/** One run of a job as its processor sees it. */
export type JobRun<Input = unknown> = {
  id: string
  /** whose job it is, with the rights they had when the run began */
  user: Pick<Actor, 'id' | 'role'>
  action: AiAction
  origin: 'user' | 'system'
  /** parsed by the schema of its action */
  input: Input
  /** rises with every start of the job; later runs win */
  run: number
  threadId: string | null
  /** aborted when the job is cancelled, taken over, or the process has to go */
  signal: AbortSignal
  log: Logger
  /** Tells how far the run is. News only: kept in Redis, written with the job's end. */
  progress(done: number, total: number): void
  /** The text produced so far: kept as the result's text when the job is cancelled. */
  partial(text: string): void
}

/**
 * The effect of a job: runs in the one transaction that also ends the job and writes its events.
 * No model call, broker call or second connection inside. Returns the job's result.
 */
export type Effect<Result = unknown> =
  | {
      (trx: Knex.Transaction): Promise<Result>
      /** Whether it takes seconds: its transaction then begins when it is its owner's turn. */
      isLarge?: boolean
    }
  /** Nothing but a result: many such jobs end together. */
  | { result: Result; isLarge?: false }

/**
 * Does the work of one job outside of any transaction and returns its effect.
 * Safe to run twice. Throws `JobError` with `retryable: false` when another attempt cannot help; what else it
 * throws is classified by `lib/jobs/classify.ts`.
 */
export type Processor<Input = unknown, Result = unknown> = (run: JobRun<Input>) => Promise<Effect<Result>>

/** The processor of an action, by what its definition says of input and result. */
export type ProcessorOf<A extends AiAction> = Processor<InputOf<A>, JobResultOf<A>>
export type Processors = { [A in AiAction]: ProcessorOf<A> }
