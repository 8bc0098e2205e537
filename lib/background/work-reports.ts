import { describeFailure, type Failure } from '../errors/failure.ts'
import type { Logger } from '../logger.ts'
import { createDoorbell } from '../time/doorbell.ts'
import type { ReportWork } from '../time/work-report.ts'
import type { BackgroundWorkStore } from '../store/operations/background-work.ts'

const everyMs = 5_000
/** A work that neither succeeds nor fails for so long hangs. */
const stuckMs = 15 * 60_000
const soonMs = 200

type Known = { endedAt: number; succeededAt: number | undefined; failing: (Failure & { since: number }) | undefined }

/** Keeps how the work of this process goes, and writes it down every few seconds, and at once when it changes. */
export function createWorkReports({
  store,
  worker,
  log
}: {
  store: Pick<BackgroundWorkStore, 'save' | 'forget'>
  worker: string
  log: Logger
}): { of: ReportWork; start(): void; stop(): Promise<void> } {
  const works = new Map<string, Known>()
  const stopping = new AbortController()
  const bell = createDoorbell()
  let running: Promise<void> | undefined

  async function save(): Promise<void> {
    const now = performance.now()
    const states = [...works].map(([work, { endedAt, succeededAt, failing }]) => ({
      work,
      succeededMs: succeededAt === undefined ? undefined : now - succeededAt,
      failing: failing
        ? { code: failing.code, message: failing.message, sinceMs: now - failing.since }
        : now - endedAt > stuckMs
          ? { code: 'stuck', message: 'it does not come to an end', sinceMs: now - endedAt }
          : undefined
    }))
    if (states.length > 0) await store.save(worker, states)
  }

  async function run(): Promise<void> {
    let failing = false
    while (!stopping.signal.aborted) {
      try {
        await save()
        failing = false
      } catch (error) {
        if (!failing) log.warn({ err: error }, 'how work goes could not be written down')
        failing = true
      }
      await bell.wait(everyMs, stopping.signal)
    }
  }

  function change(work: string, ends: (known: Known) => Known): void {
    const now = performance.now()
    const before = works.get(work) ?? { endedAt: now, succeededAt: undefined, failing: undefined }
    const after = ends({ ...before, endedAt: now })
    works.set(work, after)
    if (before.failing?.code !== after.failing?.code) setTimeout(() => bell.ring(), soonMs).unref()
  }

  return {
    of(work) {
      change(work, (known) => known)
      return {
        succeeded: () => change(work, (known) => ({ ...known, succeededAt: known.endedAt, failing: undefined })),
        failed: (error) =>
          change(work, (known) => ({
            ...known,
            failing: { ...describeFailure(error), since: known.failing?.since ?? known.endedAt }
          })),
        ended: () => void works.delete(work)
      }
    },
    start() {
      running ??= run()
    },
    async stop() {
      stopping.abort()
      await running
      await store.forget(worker).catch(() => undefined) // it is forgotten by others after a while
    }
  }
}
