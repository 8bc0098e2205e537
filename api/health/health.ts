/** What one probe found out; further facts stand beside the state. */
export type ProbeResult = { state: 'ok' | 'degraded' | 'down' | 'off'; [fact: string]: unknown }
export type Probe = () => Promise<ProbeResult>

export type ComponentReport = ProbeResult & { latencyMs: number }
export type HealthReport = {
  status: 'ok' | 'degraded' | 'down'
  checkedAt: string
  components: Record<string, ComponentReport>
}

export type Health = { check(): Promise<HealthReport> }

const keptMs = 1_000
const probeTimeoutMs = 2_000

/**
 * Asks every component at once, at most once a second however often it is called. A probe that throws or takes longer
 * than 2 s is `down`; the whole is `down` when `vital` is, and `degraded` when anything else is not `ok` or `off`.
 */
export function createHealth({ probes, vital }: { probes: Record<string, Probe>; vital: string }): Health {
  let current: { at: number; report: Promise<HealthReport> } | undefined
  return {
    check() {
      const now = performance.now()
      if (!current || now - current.at > keptMs) current = { at: now, report: examine(probes, vital) }
      return current.report
    }
  }
}

async function examine(probes: Record<string, Probe>, vital: string): Promise<HealthReport> {
  const entries = await Promise.all(
    Object.entries(probes).map(async ([name, probe]) => [name, await run(probe)] as const)
  )
  const components = Object.fromEntries(entries)
  const sound = entries.every(([, { state }]) => state === 'ok' || state === 'off')
  const status = components[vital]?.state === 'down' ? 'down' : sound ? 'ok' : 'degraded'
  return { status, checkedAt: new Date().toISOString(), components }
}

async function run(probe: Probe): Promise<ComponentReport> {
  const start = performance.now()
  const timeout = new AbortController()
  const late = new Promise<ProbeResult>((resolve) => {
    const timer = setTimeout(() => resolve({ state: 'down' }), probeTimeoutMs)
    timeout.signal.addEventListener('abort', () => clearTimeout(timer))
  })
  // Why it failed is in the log of whoever owns the connection, and no business of who asks.
  const result = await Promise.race([probe().catch((): ProbeResult => ({ state: 'down' })), late])
  timeout.abort()
  return { ...result, latencyMs: Math.round((performance.now() - start) * 10) / 10 }
}
