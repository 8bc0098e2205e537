import type { Admin } from '../lib/admin/index.ts'
import type { ReportWork } from '../lib/time/work-report.ts'
import { pause } from '../lib/time/pause.ts'
import type { Logger } from '../lib/logger.ts'
import { type Repeated, repeat } from '../lib/time/repeat.ts'

const foldEveryMs = 2_000
const foldAtOnce = 50_000
/** The watch itself sees to it that nobody looks more often than once a minute. */
const lookEveryMs = 10_000
const removeEveryMs = 60_000
const removeAtOnce = 1_000
const breathMs = 50

/**
 * What follows the audits in worker processes: figures are rolled up, suspicious activity is told of, and what is older
 * than it is to be kept goes, a little at a time. Any number of processes may run it.
 */
export function startAdminWorkers({
  admin: { rollUps, watch, retention, auditRetentionDays },
  report,
  log
}: {
  admin: Pick<Admin, 'rollUps' | 'watch' | 'retention' | 'auditRetentionDays'>
  report?: ReportWork
  log: Logger
}): Repeated {
  const all = [
    repeat({
      name: 'roll_ups',
      everyMs: foldEveryMs,
      report,
      log,
      async work(signal) {
        while (!signal.aborted && (await rollUps.fold(foldAtOnce))) await pause(breathMs, signal)
      }
    }),
    repeat({
      name: 'suspicious_activity',
      everyMs: lookEveryMs,
      report,
      log,
      async work() {
        const findings = await watch.look()
        if (findings) log.info({ findings }, 'suspicious activity was found')
      }
    }),
    repeat({
      name: 'audit_retention',
      everyMs: removeEveryMs,
      report,
      log,
      async work(signal) {
        while (!signal.aborted && (await retention.removeOld(auditRetentionDays, removeAtOnce))) {
          await pause(breathMs, signal)
        }
      }
    })
  ]
  return {
    async stop() {
      await Promise.all(all.map((one) => one.stop()))
    }
  }
}
