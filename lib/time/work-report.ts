/** Reports how one piece of background work is doing; cheap, for every round of it. */
export type WorkReport = {
  succeeded(): void
  failed(error: unknown): void
  /** nobody does it any more */
  ended(): void
}

/** @param work names it in health and metrics: lower case and underscores */
export type ReportWork = (work: string) => WorkReport

/** For work whose state nobody shows. */
export const unreported: ReportWork = () => ({ succeeded() {}, failed() {}, ended() {} })
