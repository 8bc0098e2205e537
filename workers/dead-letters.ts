import type { Admin } from '../lib/admin/index.ts'
import { suspicionKind } from '../lib/admin/suspicion-watch.ts'
import type { RetryDeadLetter } from '../lib/dead-letters/retry.ts'
import { NamedFailure } from '../lib/errors/failure.ts'
import { type DecisionRecord, decodeDecision } from '../lib/gate/decision.ts'
import { retentionKinds } from '../lib/store/audit/retention.ts'
import { queuelessKind } from '../lib/store/jobs/open-jobs.ts'
import { deltaTables, rollUpKind } from '../lib/store/audit/roll-ups.ts'
import { deliveryKind, deliveryRetentionKind } from '../lib/store/events/webhook-deliveries.ts'

/** Rows that wait where they are: no longer put aside, they are taken up by the work they belong to. */
const takenUp = [
  ...deltaTables.map(rollUpKind),
  ...retentionKinds,
  queuelessKind,
  deliveryKind,
  deliveryRetentionKind,
  'unsettled_calls',
  'checkpoints'
]

/** How what was put aside beside the relay is tried again, by kind of dead letter. */
export function createRetries({
  admin
}: {
  admin: Pick<Admin, 'recordDecisions' | 'watch'>
}): Record<string, RetryDeadLetter> {
  return {
    ...Object.fromEntries(takenUp.map((kind) => [kind, async () => {}])),
    async audits({ payload }) {
      const { decision, fields } = payload as { decision?: DecisionRecord; fields?: string[] }
      const record = decision ?? decodeDecision(fields ?? [])
      if (!record) throw new NamedFailure('unreadable', 'the entry is no decision')
      await admin.recordDecisions([record])
    },
    [suspicionKind]: ({ payload }) => admin.watch.retry(payload)
  }
}
