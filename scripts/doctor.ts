import { parseArgs } from 'node:util'
import { ConfigError, loadConfig } from '../lib/config.ts'
import { examine } from './doctor/examine.ts'
import { findingsOf, printed, type Report, reportOf } from './doctor/findings.ts'
import { loadEnvFile } from './load-env-file.ts'

/** `npm run doctor`: says within a minute whether what is configured will work here, and what to do where it will not. */

const usage = `npm run doctor -- [--json] [--help]

Looks at what is configured: the provider and its models (a few hundred tokens are spent), PostgreSQL, Redis, RabbitMQ
and this machine. The platform need not run; private services of an npm start that runs are found by DATA_DIR. Nothing
is written. Each line says ok or what to do.

  --json  the findings as JSON: { ok, findings: [{ area, name, state: ok·todo·unknown, found, todo? }] }
  --help  this text

Exit code: 0 when nothing has to be done, 1 when something has, 2 for an option that there is not.
Variables: those of npm start, also read from a file .env in this folder.
`

async function look(): Promise<Report> {
  try {
    return await examine(loadConfig(process.env))
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const { findings, todo } = findingsOf('configuration')
    for (const problem of error.problems) todo('variable', problem, 'Set it right: npm start -- --help has them all.')
    return reportOf(findings)
  }
}

function readArguments(): { json?: boolean; help?: boolean } | undefined {
  try {
    return parseArgs({ options: { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } }).values
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    return undefined
  }
}

const flags = readArguments()
if (!flags) process.exitCode = 2
else if (flags.help) console.log(usage)
else {
  loadEnvFile()
  const report = await look()
  const text = flags.json ? JSON.stringify(report, null, 2) : printed(report)
  // Connections that say nothing must not keep it.
  process.stdout.write(`${text}\n`, () => process.exit(report.ok ? 0 : 1))
}
