import type { RequireUser } from '../../lib/admin/require-user.ts'
import { type BudgetInput, budgetInputSchema, budgetSchema } from '../../lib/schemas/admin.ts'
import { idParamsSchema } from '../../lib/schemas/page.ts'
import type { Budget, BudgetStore } from '../../lib/store/money/budgets.ts'
import { formatUsd } from '../../lib/money.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { smallBodyBytes } from '../intake/limits.ts'

type Needs = { budgetStore: BudgetStore; mustExist: RequireUser }

const tag = 'Admin: budgets'
const access = 'admin'
const responses = { 200: { description: 'The budget in force; null is no limit', schema: budgetSchema } }

const fromInput = ({ dailyUsd, monthlyUsd }: BudgetInput): Budget => ({ dailyPico: dailyUsd, monthlyPico: monthlyUsd })

const toView = ({ dailyPico, monthlyPico }: Budget) => ({
  dailyUsd: dailyPico === null ? null : formatUsd(dailyPico),
  monthlyUsd: monthlyPico === null ? null : formatUsd(monthlyPico)
})

/** What users may spend in a UTC day and month: each their own, or the default. */
export function adminBudgetEndpoints({ budgetStore, mustExist }: Needs): Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: '/admin/budgets/default',
      summary: 'The budget of everyone without one of their own',
      tag,
      access,
      responses,
      handler: async () => ({ status: 200, body: toView(await budgetStore.defaultBudget()) })
    }),
    endpoint({
      method: 'put',
      path: '/admin/budgets/default',
      summary: 'Set the budget of everyone without one of their own',
      tag,
      access,
      body: budgetInputSchema,
      bodyLimitBytes: smallBodyBytes,
      responses,
      async handler({ body }) {
        await budgetStore.setDefaultBudget(fromInput(body))
        return { status: 200, body: toView(fromInput(body)) }
      }
    }),
    endpoint({
      method: 'delete',
      path: '/admin/budgets/default',
      summary: 'Take back what was set: the default of the configuration holds again',
      tag,
      access,
      responses: { 204: { description: 'The configured default holds' } },
      async handler() {
        await budgetStore.removeDefaultBudget()
        return { status: 204 }
      }
    }),
    endpoint({
      method: 'get',
      path: '/admin/budgets/users/:id',
      summary: 'The budget in force for a user: their own, or the default',
      tag,
      access,
      params: idParamsSchema,
      responses,
      async handler({ params: { id } }) {
        await mustExist(id)
        return { status: 200, body: toView(await budgetStore.budgetOf(id)) }
      }
    }),
    endpoint({
      method: 'put',
      path: '/admin/budgets/users/:id',
      summary: 'Give a user a budget of their own; two nulls let them spend without limit whatever the default is',
      tag,
      access,
      params: idParamsSchema,
      body: budgetInputSchema,
      bodyLimitBytes: smallBodyBytes,
      responses,
      async handler({ params: { id }, body }) {
        await mustExist(id)
        await budgetStore.setBudget(id, fromInput(body))
        return { status: 200, body: toView(fromInput(body)) }
      }
    }),
    endpoint({
      method: 'delete',
      path: '/admin/budgets/users/:id',
      summary: 'Take a user’s own budget away: the default holds again',
      tag,
      access,
      params: idParamsSchema,
      responses: { 204: { description: 'The default holds' } },
      async handler({ params: { id } }) {
        await mustExist(id)
        await budgetStore.removeBudget(id)
        return { status: 204 }
      }
    })
  ]
}
