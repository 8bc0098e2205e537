import type { AiAction } from '../lib/actions/actions.ts'
import type { Reference } from '../lib/actions/references.ts'
import type { Jobs } from '../lib/jobs/jobs.ts'
import type { CheckReferences } from '../lib/records/references.ts'
import type { JobView } from '../lib/schemas/job.ts'
import type { EndpointInput } from './endpoint.ts'
import type { Idempotency, SerializeKey } from './idempotency.ts'

type Wanted = {
  action: AiAction
  input: unknown
  /** what the input names by id, which its sender has to see */
  references: readonly Reference[]
  threadId?: string | undefined
  /** what an equal request later is known by. `isOnce`: the key is this request's own, so no other can have it */
  idempotency: (Idempotency & { isOnce?: true }) | undefined
}

/**
 * Makes a request a job, whatever wire format it came in: its references are checked, it takes its action's token, its
 * row is committed. A repetition of an `Idempotency-Key` is the first job again and takes nothing.
 */
export type Submit = (
  request: Pick<EndpointInput, 'actor' | 'takeToken' | 'signal'>,
  wanted: Wanted
) => Promise<JobView>

export function createSubmit({
  jobs,
  serializeKey,
  checkReferences
}: {
  jobs: Pick<Jobs, 'admit' | 'replayOf'>
  serializeKey: SerializeKey
  checkReferences: CheckReferences
}): Submit {
  return async ({ actor, takeToken, signal }, { references, idempotency, ...wanted }) => {
    /** Makes the job, which costs the action's token. */
    async function make(): Promise<JobView> {
      await checkReferences(actor, references)
      const decision = await takeToken()
      return (await jobs.admit({ actor, idempotency, decision, ...wanted })).job
    }

    if (!idempotency || idempotency.isOnce) return await make()
    // A repetition is looked up first: what it referred to may have been deleted since.
    const { key } = idempotency
    return await serializeKey(
      actor.id,
      key,
      async () => (await jobs.replayOf(actor.id, idempotency)) ?? (await make()),
      signal
    )
  }
}
