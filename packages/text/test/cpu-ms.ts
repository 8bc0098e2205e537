/** Milliseconds of this thread's processor time: what else runs on the machine does not count. */
export function cpuMs(work: () => unknown): number {
  const { user: before, system: systemBefore } = process.threadCpuUsage()
  work()
  const { user: after, system: systemAfter } = process.threadCpuUsage()
  return (after - before + systemAfter - systemBefore) / 1_000
}
