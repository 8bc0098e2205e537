import { z } from 'zod'
import type { BudgetStore } from '../../lib/store/money/budgets.ts'
import type { PeriodUsage, UsageStore } from '../../lib/store/money/usage.ts'
import { formatUsd } from '../../lib/money.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'

const periodSchema = z.object({
  requests: z.int(),
  promptTokens: z.int(),
  completionTokens: z.int(),
  totalTokens: z.int(),
  costUsd: z.string()
})

const usageReportSchema = z
  .object({
    today: periodSchema,
    month: periodSchema,
    budget: z
      .object({ dailyUsd: z.string().nullable(), monthlyUsd: z.string().nullable(), remainingUsd: z.string() })
      .nullable()
  })
  .meta({ id: 'UsageReport' })

/** What one has used and may still use, by the UTC day and month. */
export function usageEndpoints({ usage, budgetStore }: { usage: UsageStore; budgetStore: BudgetStore }): Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: '/users/me/usage',
      summary: 'Your requests, tokens and cost of today and this month, and what is left of your budget',
      tag: 'Users',
      access: 'user',
      responses: { 200: { description: 'Usage', schema: usageReportSchema } },
      async handler({ actor }) {
        const [{ today, month }, budget] = await Promise.all([usage.of(actor.id), budgetReport(budgetStore, actor.id)])
        return { status: 200, body: { today: toReport(today), month: toReport(month), budget } }
      }
    })
  ]
}

const toReport = ({ requests, promptTokens, completionTokens, costPico }: PeriodUsage) => ({
  requests,
  promptTokens,
  completionTokens,
  totalTokens: promptTokens + completionTokens,
  costUsd: formatUsd(costPico)
})

/** What is left is the less of day and month; what running jobs have reserved is not left. */
async function budgetReport(store: BudgetStore, userId: string) {
  const [{ dailyPico, monthlyPico }, used] = await Promise.all([store.budgetOf(userId), store.usedBy(userId)])
  if (dailyPico === null && monthlyPico === null) return null
  const left = [
    ...(dailyPico === null ? [] : [dailyPico - used.dayPico]),
    ...(monthlyPico === null ? [] : [monthlyPico - used.monthPico])
  ]
  const least = left.reduce((a, b) => (a < b ? a : b))
  return {
    dailyUsd: dailyPico === null ? null : formatUsd(dailyPico),
    monthlyUsd: monthlyPico === null ? null : formatUsd(monthlyPico),
    remainingUsd: formatUsd(least < 0n ? 0n : least)
  }
}
