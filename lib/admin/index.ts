import type { Redis } from 'ioredis'
import type { Knex } from 'knex'
import type { Config } from '../config.ts'
import type { DeadLetters } from '../dead-letters/dead-letters.ts'
import type { EventLog } from '../events/log.ts'
import { defaultLimits, mergeLimits } from '../gate/limits.ts'
import type { Logger } from '../logger.ts'
import { createAuditQueries } from '../store/audit/queries.ts'
import { createAuditRetentionStore } from '../store/audit/retention.ts'
import type { AuditStore } from '../store/audit/audits.ts'
import type { DeadLetterStore } from '../store/operations/dead-letters.ts'
import { createStatistics } from '../store/audit/statistics.ts'
import { createLimitOverrideStore } from '../store/people/limit-overrides.ts'
import { createPriceStore } from '../store/money/prices.ts'
import { createRollUpStore } from '../store/audit/roll-ups.ts'
import { createSuspiciousStore } from '../store/audit/suspicious.ts'
import type { Transaction } from '../store/transaction.ts'
import { createUsageStore } from '../store/money/usage.ts'
import { createUserStore } from '../store/people/users.ts'
import { createAuditWriter } from './audit-writer.ts'
import { createLiveOverrides } from './limit-overrides.ts'
import { createRequireUser } from './require-user.ts'
import { createAuditRetention } from './retention.ts'
import { createRollUps } from './roll-ups.ts'
import { createSuspicionRules } from './suspicion-rules.ts'
import { createSuspicionWatch } from './suspicion-watch.ts'

export type Admin = ReturnType<typeof createAdmin>

export type AdminNeeds = {
  config: Pick<Config, 'rateLimits' | 'suspiciousThresholds' | 'auditRetentionDays'>
  knex: Knex
  redis: Pick<Redis, 'publish'>
  subscriber: Redis
  prefix: string
  transaction: Transaction
  events: EventLog
  audits: AuditStore
  deadLetters: DeadLetters
  deadLetterStore: DeadLetterStore
  log: Logger
}

/**
 * What watches over usage: audits, their figures, limits of single users, prices, suspicious activity. Starts nothing:
 * an API process starts `overrides`, a worker process gives it to `startAdminWorkers`.
 */
export function createAdmin({
  config,
  knex,
  redis,
  subscriber,
  prefix,
  transaction,
  events,
  audits,
  deadLetters,
  deadLetterStore,
  log
}: AdminNeeds) {
  const figures = createStatistics({ knex })
  const suspicious = createSuspiciousStore({ knex })
  const rules = createSuspicionRules({ store: suspicious, figures, thresholds: config.suspiciousThresholds })
  return {
    /** the limits of everyone, for the gate */
    limits: mergeLimits(defaultLimits, config.rateLimits),
    /** the limits of single users, for the gate */
    overrides: createLiveOverrides({
      store: createLimitOverrideStore({ knex }),
      redis,
      subscriber,
      prefix,
      log
    }),
    /** stores decisions: for the reader of the streams, and for a gate that decides while Redis is away */
    recordDecisions: createAuditWriter({ transaction, audits, events }),
    mustExist: createRequireUser({ users: createUserStore({ knex }) }),
    auditQueries: createAuditQueries({ knex }),
    figures,
    usage: createUsageStore({ knex }),
    prices: createPriceStore({ knex }),
    rules,
    watch: createSuspicionWatch({ rules, store: suspicious, transaction, events, deadLetters }),
    rollUps: createRollUps({ store: createRollUpStore({ knex }), deadLetters }),
    retention: createAuditRetention({ store: createAuditRetentionStore({ knex }), deadLetters, deadLetterStore }),
    auditRetentionDays: config.auditRetentionDays
  }
}
