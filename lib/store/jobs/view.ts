import type { AiAction } from '../../actions/actions.ts'
import type { JobStatus, JobView, WaitReason } from '../../schemas/job.ts'
import { formatUsd } from '../../money.ts'
import { largeResultBytes } from './large-result.ts'
import { unpackResult } from './packed-result.ts'

/**
 * Open jobs of the thread of `j` that are done before it: whatever runs, and whatever was queued earlier.
 * `jobs_open_of_thread` finds them.
 */
const earlierInThread = `
  select from jobs p where p.thread_id = j.thread_id and p.status in ('queued', 'active') and p.id <> j.id
    and (p.status = 'active' or p.id < j.id)`

/** What a queued job waits for, as far as its row and its thread say: the conditions of a start, in their order. */
const waitReason = `
  case when j.status <> 'queued' then null
       when j.run_at > now() then coalesce(j.wait_reason, 'delay')
       when j.thread_id is not null and exists (${earlierInThread}) then 'thread'
       else 'worker' end`

/** Usage of a job is what the ledger says, summed when it is read: there is no second counter to disagree with. */
const columnsWith = (result: string) => `
  j.id, j.user_id, j.action, j.origin, j.status, j.progress, ${result}, j.error, j.attempts, j.retry_of,
  j.created_at, j.started_at, j.finished_at, j.run_at, ${waitReason} as wait_reason, u.prompt_tokens, u.cached_tokens, u.completion_tokens, u.reasoning_tokens, u.cost_pico`
export const viewColumns = columnsWith('j.result')
/** For lists: a hundred results can be hundreds of megabytes. The size is that on disk, and may be more as JSON. */
export const listColumns = columnsWith(`
  case when pg_column_size(j.result) <= ${largeResultBytes} then j.result end as result,
  pg_column_size(j.result) > ${largeResultBytes} as is_large`)
export const usageJoin = `
  cross join lateral (
    select coalesce(sum(prompt_tokens), 0) as prompt_tokens, coalesce(sum(cached_tokens), 0) as cached_tokens,
           coalesce(sum(completion_tokens), 0) as completion_tokens,
           coalesce(sum(reasoning_tokens), 0) as reasoning_tokens, coalesce(sum(cost_pico), 0) as cost_pico
    from model_call_shares s where s.job_id = j.id) u`

const iso = (value: unknown) => (value === null ? null : (value as Date).toISOString())

/** What a job has used, as the ledger sums it up. */
export type UsageColumns = Record<
  'prompt_tokens' | 'cached_tokens' | 'completion_tokens' | 'reasoning_tokens' | 'cost_pico',
  string
>

export const unused: UsageColumns = {
  prompt_tokens: '0',
  cached_tokens: '0',
  completion_tokens: '0',
  reasoning_tokens: '0',
  cost_pico: '0'
}

/** The reasons that end at a time are those that moved the next start, which is that time. */
function waitingForOf({ wait_reason: reason, run_at: runAt }: Record<string, unknown>): JobView['waitingFor'] {
  if (reason === null) return null
  const hasNoTime = reason === 'worker' || reason === 'thread'
  return { reason: reason as WaitReason, until: hasNoTime ? null : iso(runAt) }
}

/** A row of `viewColumns` or `listColumns` as everybody sees it. */
export function toJobView(row: Record<string, unknown>): JobView {
  const promptTokens = Number(row.prompt_tokens)
  const completionTokens = Number(row.completion_tokens)
  return {
    id: row.id as string,
    action: row.action as AiAction,
    origin: row.origin as 'user' | 'system',
    status: row.status as JobStatus,
    progress: row.progress as JobView['progress'],
    result: unpackResult(row.result ?? null),
    ...(row.is_large ? { resultOmitted: true } : {}),
    error: row.error as JobView['error'],
    attempts: row.attempts as number,
    waitingFor: waitingForOf(row),
    retryOf: row.retry_of as string | null,
    usage: {
      promptTokens,
      cachedTokens: Number(row.cached_tokens),
      completionTokens,
      reasoningTokens: Number(row.reasoning_tokens),
      totalTokens: promptTokens + completionTokens,
      costUsd: formatUsd(BigInt(row.cost_pico as string))
    },
    createdAt: iso(row.created_at) as string,
    startedAt: iso(row.started_at),
    finishedAt: iso(row.finished_at)
  }
}

/** A row of the table that has used nothing yet, without what it waits for: as it stands when its first run starts. */
export const toUnusedView = (row: Record<string, unknown>): JobView =>
  toJobView({ ...row, ...unused, wait_reason: null })
