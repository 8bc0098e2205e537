import type { z } from 'zod'
import type { PicoUsd } from '../money.ts'
import type { Prices } from './worst-case.ts'
import type { Reference } from './references.ts'

/**
 * Everything that is decided about an AI action before its work begins. The work itself is its processor, in
 * `workers/processors/`.
 */
export type ActionDefinition<
  Name extends string = string,
  Input extends z.ZodType = z.ZodType,
  Result extends z.ZodType = z.ZodType,
  Stored extends z.ZodType = Input,
  StoredResult extends z.ZodType = Result
> = {
  /** also the name of its queue, its worker pool and its token bucket, and a value of the SQL type `rate_limit_action` */
  name: Name
  /** of `POST`, below `/api/v1` */
  route: string
  /** its line in OpenAPI */
  summary: string
  /** checks the body of a submission */
  input: Input
  /** what a job's input is when it runs, where other wire formats make jobs of the action too; absent: as `input` */
  stored?: Stored
  result: Result
  /** what a job's result is, where that is more than `result` because of `stored` */
  storedResult?: StoredResult
  /** largest body in bytes, when another than 1 MiB */
  bodyLimitBytes?: number
  /** most elements and members in the body, when another number than 1,000 */
  bodyLimitValues?: number
  /** whether a large body is checked on the thread that parses it: its input is then a `JsonText` until it is stored */
  checkLargeOnThread?: true
  /** its token bucket: tokens a minute, and how many times that many a full one holds */
  rateLimit: { limitPerMinute: number; burst: number }
  /** jobs that each worker process runs at once */
  concurrency: number
  /** most attempts of a job; `configured` is what operators set as `JOB_ATTEMPTS` */
  attempts: number | 'configured'
  /**
   * What a job reserves of a budget when it is admitted: the worst case of its calls at list price, where input counts
   * as its bytes of UTF-8. A call that needs more asks for more before it is made, so this is never what bounds the
   * spending; it keeps a crowd of jobs from being admitted against money that is not there.
   */
  worstCase(input: z.output<Stored>, known: Known): PicoUsd
  /** What an input names by id. A submission that names something its sender cannot see is refused. */
  references(input: z.output<Stored>): Reference[]
  /** The conversation that a job belongs to: jobs of one thread run one after the other. Absent: none. */
  threadOf?(input: z.output<Stored>): string | undefined
}

/** What a worst case is computed from besides the input. */
type Known = {
  /** bytes of the text of the first record that the input refers to, as it is embedded; 0 when there is none */
  referredBytes: number
  prices: Prices
}

/** Types a definition by its own name and schemas; returns it unchanged. */
export const defineAction = <
  const Name extends string,
  Input extends z.ZodType,
  Result extends z.ZodType,
  Stored extends z.ZodType = Input,
  StoredResult extends z.ZodType = Result
>(
  definition: ActionDefinition<Name, Input, Result, Stored, StoredResult>
): ActionDefinition<Name, Input, Result, Stored, StoredResult> => definition
