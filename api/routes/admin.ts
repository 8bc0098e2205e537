import type { Admin } from '../../lib/admin/index.ts'
import { createLimitAdmin } from '../../lib/admin/limits.ts'
import type { Gate } from '../../lib/gate/gate.ts'
import type { Jobs } from '../../lib/jobs/jobs.ts'
import type { BudgetStore } from '../../lib/store/money/budgets.ts'
import type { DeadLetterStore } from '../../lib/store/operations/dead-letters.ts'
import type { Endpoint } from '../endpoint.ts'
import { adminBudgetEndpoints } from './admin-budgets.ts'
import { adminDeadLetterEndpoints } from './admin-dead-letters.ts'
import { adminJobEndpoints } from './admin-jobs.ts'
import { adminPriceEndpoints } from './admin-prices.ts'
import { adminRateLimitEndpoints } from './admin-rate-limits.ts'

/** Everything below `/admin`: for administrators alone. */
export function adminEndpoints({
  admin,
  gate,
  jobs,
  budgetStore,
  deadLetterStore
}: {
  admin: Admin
  gate: Gate
  jobs: Jobs
  budgetStore: BudgetStore
  deadLetterStore: DeadLetterStore
}): Endpoint[] {
  const { limits: configured, overrides, mustExist, prices } = admin
  const limits = createLimitAdmin({ gate, configured, overrides, mustExist })
  return [
    ...adminRateLimitEndpoints({ ...admin, limits }),
    ...adminBudgetEndpoints({ budgetStore, mustExist }),
    ...adminPriceEndpoints({ prices }),
    ...adminJobEndpoints({ jobs }),
    ...adminDeadLetterEndpoints({ deadLetterStore })
  ]
}
