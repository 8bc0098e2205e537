/** One thing that was looked at. `todo`: something must be done; `unknown`: it could not be looked at, and another line says why. */
export type Finding = {
  area: Area
  name: string
  state: 'ok' | 'todo' | 'unknown'
  /** what was found */
  found: string
  /** what to do, where something must be done */
  todo?: string
}
export type Area = 'configuration' | 'provider' | 'postgres' | 'redis' | 'rabbitmq' | 'machine'

export type Report = { ok: boolean; findings: Finding[] }

/** Findings of one area, in the order in which they are made. */
export function findingsOf(area: Area) {
  const findings: Finding[] = []
  return {
    findings,
    ok: (name: string, found: string): void => void findings.push({ area, name, state: 'ok', found }),
    todo: (name: string, found: string, todo: string): void =>
      void findings.push({ area, name, state: 'todo', found, todo }),
    unknown: (name: string, found: string): void => void findings.push({ area, name, state: 'unknown', found })
  }
}

export type Findings = ReturnType<typeof findingsOf>

export const reportOf = (findings: Finding[]): Report => ({
  ok: findings.every(({ state }) => state !== 'todo'),
  findings
})

const signs = { ok: 'ok  ', todo: 'DO  ', unknown: '?   ' }

/** The report as lines for a person. */
export function printed({ ok, findings }: Report): string {
  const lines: string[] = []
  let area: string | undefined
  for (const finding of findings) {
    if (finding.area !== area) lines.push('', finding.area)
    area = finding.area
    lines.push(`  ${signs[finding.state]}${finding.name}: ${finding.found}`)
    if (finding.todo) lines.push(`        ${finding.todo}`)
  }
  const count = findings.filter(({ state }) => state === 'todo').length
  lines.push('', ok ? 'Nothing has to be done.' : `${count} ${count === 1 ? 'thing has' : 'things have'} to be done.`)
  return lines.slice(1).join('\n')
}

/** Where a URL leads, without who asks. */
export function placeOf(url: string): string {
  const { host, pathname } = new URL(url)
  return `${host}${pathname === '/' ? '' : pathname}`
}

/** Why something failed, in a few words and without a URL: a driver may quote the one it was given. */
export function reasonOf(error: unknown): string {
  const { code, message, errors } = error as { code?: unknown; message?: string; errors?: unknown[] }
  if (Array.isArray(errors) && errors.length > 0) return reasonOf(errors[0])
  const words = (message ?? '')
    .split('\n', 1)[0]
    ?.replace(/\S*:\/\/\S*/g, '…')
    .slice(0, 160)
  return words || (typeof code === 'string' ? code : 'no reason given')
}
