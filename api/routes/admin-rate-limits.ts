import type { LimitAdmin } from '../../lib/admin/limits.ts'
import { findSuspects } from '../../lib/admin/suspicious.ts'
import type { Rule } from '../../lib/admin/suspicion-rules.ts'
import { gateActionSchema } from '../../lib/actions/actions.ts'
import {
  auditQuerySchema,
  auditSchema,
  consumersQuerySchema,
  consumersSchema,
  encodeAuditCursor,
  limitConfigSchema,
  limitResetResultSchema,
  limitResetSchema,
  limitSettingSchema,
  limitStatusSchema,
  limitViewSchema,
  statisticsQuerySchema,
  statisticsSchema,
  suspiciousQuerySchema,
  suspiciousSchema
} from '../../lib/schemas/admin.ts'
import { idParamsSchema, pageOf } from '../../lib/schemas/page.ts'
import type { AuditQueries } from '../../lib/store/audit/queries.ts'
import type { Figures } from '../../lib/store/audit/statistics.ts'
import { dayMs, type Range } from '../../lib/time/time-ranges.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { smallBodyBytes } from '../intake/limits.ts'

type Needs = { limits: LimitAdmin; auditQueries: AuditQueries; figures: Figures; rules: Rule[] }

const tag = 'Admin: rate limits'
const access = 'admin'
const path = '/admin/rate-limits'

/** The time asked for; the last 24 hours, or those before `to`, unless told. */
function rangeOf({ from, to }: { from?: string | undefined; to?: string | undefined }, now = new Date()): Range {
  const start = from === undefined ? undefined : new Date(from)
  const end = to === undefined ? (start && start > now ? start : now) : new Date(to)
  return { from: start ?? new Date(end.getTime() - dayMs), to: end }
}

/** Limits and audits as administrators see and change them. */
export function adminRateLimitEndpoints({ limits, auditQueries, figures, rules }: Needs): Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: `${path}/config`,
      summary: 'The limits of everyone without limits of their own',
      tag,
      access,
      responses: { 200: { description: 'The six actions', schema: limitConfigSchema } },
      handler: async () => ({ status: 200, body: limits.config() })
    }),
    endpoint({
      method: 'get',
      path: `${path}/users/:id/status`,
      summary: 'The limits in force for a user, and what is left in their buckets',
      tag,
      access,
      params: idParamsSchema,
      responses: { 200: { description: 'The six actions', schema: limitStatusSchema } },
      handler: async ({ params: { id } }) => ({ status: 200, body: await limits.status(id) })
    }),
    endpoint({
      method: 'post',
      path: `${path}/users/:id/reset`,
      summary: 'Fill a user’s buckets up: one action’s, or all',
      tag,
      access,
      params: idParamsSchema,
      body: limitResetSchema.optional(),
      bodyLimitBytes: smallBodyBytes,
      responses: { 200: { description: 'What was reset', schema: limitResetResultSchema } },
      handler: async ({ params: { id }, body }) => ({ status: 200, body: await limits.reset(id, body?.action) })
    }),
    endpoint({
      method: 'put',
      path: `${path}/users/:id/limits`,
      summary: 'Give a user limits of their own for an action, at once in every process',
      tag,
      access,
      params: idParamsSchema,
      body: limitSettingSchema,
      bodyLimitBytes: smallBodyBytes,
      responses: { 200: { description: 'The limit in force', schema: limitViewSchema } },
      handler: async ({ params: { id }, body: { action, ...limit } }) => ({
        status: 200,
        body: await limits.put(id, action, limit)
      })
    }),
    endpoint({
      method: 'delete',
      path: `${path}/users/:id/limits/:action`,
      summary: 'Take a user’s own limits for an action away: the configured ones hold again',
      tag,
      access,
      params: idParamsSchema.extend({ action: gateActionSchema }),
      responses: { 204: { description: 'The configured limits hold' } },
      async handler({ params: { id, action } }) {
        await limits.remove(id, action)
        return { status: 204 }
      }
    }),
    endpoint({
      method: 'get',
      path: `${path}/audits`,
      summary: 'Audits of requests, newest first',
      tag,
      access,
      query: auditQuerySchema,
      responses: {
        200: {
          description: 'A page of audits: one for each request, but for floods of refused ones',
          schema: pageOf(auditSchema)
        }
      },
      async handler({ query }) {
        const found = await auditQueries.list({ ...query, limit: query.limit + 1 })
        const data = found.slice(0, query.limit)
        const last = found.length > query.limit ? data.at(-1) : undefined
        return {
          status: 200,
          body: {
            data: data.map(({ audit }) => audit),
            nextCursor: last ? encodeAuditCursor({ createdAt: last.createdAt, id: last.audit.id }) : null
          }
        }
      }
    }),
    endpoint({
      method: 'get',
      path: `${path}/statistics`,
      summary: 'Figures of requests, tokens and cost: the last 24 hours by the hour unless told',
      tag,
      access,
      query: statisticsQuerySchema,
      responses: { 200: { description: 'In all, by action, by model and along the time', schema: statisticsSchema } },
      async handler({ query: { userId, bucket, ...query } }) {
        const range = rangeOf(query)
        const statistics = await figures.statistics(range, bucket, userId)
        return { status: 200, body: { ...shown(range), ...statistics } }
      }
    }),
    endpoint({
      method: 'get',
      path: `${path}/top-consumers`,
      summary: 'Users who used most in the last 24 hours, or another time',
      tag,
      access,
      query: consumersQuerySchema,
      responses: { 200: { description: 'The greatest first', schema: consumersSchema } },
      async handler({ query: { by, limit, ...query } }) {
        return { status: 200, body: { data: await figures.topConsumers(rangeOf(query), by, limit) } }
      }
    }),
    endpoint({
      method: 'get',
      path: `${path}/suspicious`,
      summary: 'Users whose use of the last 24 hours, or another time, is suspicious',
      tag,
      access,
      query: suspiciousQuerySchema,
      responses: { 200: { description: 'The most suspicious first', schema: suspiciousSchema } },
      async handler({ query }) {
        return { status: 200, body: { data: await findSuspects(rules, rangeOf(query)) } }
      }
    })
  ]
}

const shown = ({ from, to }: Range) => ({ from: from.toISOString(), to: to.toISOString() })
