/** What one probe found out; further facts stand beside the state. */
export type ProbeResult = { state: 'ok' | 'degraded' | 'down' | 'off' | 'unknown'; [fact: string]: unknown }
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
/** What rests on a component, such as heartbeats that are written, needs a moment when it is well again. */
const recoveryMs = 5_000

/**
 * Asks every component at once, at most once a second however often it is called. A probe that throws or takes longer
 * than 2 s is `down`; the whole is `down` when `vital` is, and `degraded` when anything else is not `ok` or `off`.
 * @param restsOn by which component each is seen: when that one is not well, or was not a moment ago, nobody can know
 *   how the other does. It is `unknown`, with `because`
 */
export function createHealth({
  probes,
  vital,
  restsOn = {}
}: {
  probes: Record<string, Probe>
  vital: string
  restsOn?: Record<string, string>
}): Health {
  let current: { at: number; report: Promise<HealthReport> } | undefined
  const unwellAt = new Map<string, number>()

  async function examine(): Promise<HealthReport> {
    const entries = await Promise.all(
      Object.entries(probes).map(async ([name, probe]) => [name, await run(probe)] as const)
    )
    const now = performance.now()
    for (const [name, { state }] of entries) if (!isWell(state)) unwellAt.set(name, now)
    const judged = entries.map(([name, result]): readonly [string, ComponentReport] => {
      const because = restsOn[name] ?? ''
      const isBlurred = now - (unwellAt.get(because) ?? Number.NEGATIVE_INFINITY) < recoveryMs
      return [name, isBlurred && !isWell(result.state) ? { ...result, state: 'unknown', because } : result]
    })
    const components = Object.fromEntries(judged)
    const sound = judged.every(([, { state }]) => isWell(state))
    const status = components[vital]?.state === 'down' ? 'down' : sound ? 'ok' : 'degraded'
    return { status, checkedAt: new Date().toISOString(), components }
  }

  return {
    check() {
      const now = performance.now()
      if (!current || now - current.at > keptMs) current = { at: now, report: examine() }
      return current.report
    }
  }
}

const isWell = (state: ProbeResult['state']) => state === 'ok' || state === 'off'

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
