import type { RegistrationMode } from '../../lib/auth/accounts.ts'
import { formatUsd, type PicoUsd } from '../../lib/money.ts'

type Facts = {
  url: string
  /** The password is there only when the administrator was made at this start. */
  admin: { email: string; apiKey: string; password?: string | undefined }
  /** File that holds the key, shown instead of the key itself in production. */
  keyFile: string
  production: boolean
  logFolder: string | undefined
  registration: RegistrationMode
  /** whether calls of the model cost money; without that the offline stand-in answers */
  paid: boolean
  chatModel: string
  baseUrl: string | undefined
  /** pico-USD that a user without a budget of their own may spend in a UTC day */
  defaultDailyPico: PicoUsd | null
}

/** What the launcher ends with: where it runs, the administrator's key, and three lines to paste. */
export function banner({ url, admin, keyFile, production, logFolder, ...rest }: Facts): string {
  const { registration, paid, defaultDailyPico, chatModel, baseUrl } = rest
  const key = production ? `$(cat ${quoteIfNeeded(keyFile)})` : admin.apiKey
  const bearer = `-H "Authorization: Bearer ${key}"`
  const chat = `-H 'Content-Type: application/json' -H 'Prefer: wait=30' -d '{"message":"How does a recursive function end?"}'`
  const facts: [string, string | undefined][] = [
    ['Running at', url],
    ['Documentation', `${url}/docs`],
    ['Queues', `${url}/admin/queues`],
    ['Model', paid ? `${chatModel}${baseUrl ? ` at ${hostOf(baseUrl)}` : ''}` : standIn(chatModel)],
    ['Administrator', admin.email],
    ['Password', production ? undefined : admin.password && `${admin.password} (shown this once)`],
    ['API key', production ? `in ${keyFile}` : `${admin.apiKey} (kept in ${keyFile})`],
    ['Logs', logFolder],
    ['Registration', paid || registration !== 'open' ? whoMayRegister[registration] : undefined],
    ['Budget', paid ? budgetOf(defaultDailyPico) : undefined]
  ]
  return [
    '',
    ...facts.flatMap(([name, value]) => (value ? [`${name.padEnd(15)}${value}`] : [])),
    '',
    'Try it in another terminal, in this folder (Ctrl-C here stops everything):',
    '  npm run demo    # two small courses to ask about, and one of each action',
    `  curl ${url}/health`,
    `  curl ${bearer} ${chat} ${url}/api/v1/chat`,
    `  curl ${bearer} ${url}/api/v1/jobs`,
    ''
  ].join('\n')
}

const standIn = (model: string) =>
  `${model}, a stand-in that only quotes what it finds; OPENAI_API_KEY in .env puts a real one behind it`

/** Without credentials, which an address may hold. */
const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).host : url)

const whoMayRegister = {
  open: 'open to everybody who can reach it (REGISTRATION)',
  invite: 'by invitation: POST /api/v1/users/invitations makes codes (REGISTRATION)',
  off: 'closed: administrators make accounts (REGISTRATION)'
}

function budgetOf(dailyPico: PicoUsd | null): string {
  if (dailyPico === null) return 'none: users may spend without limit at the provider (DEFAULT_DAILY_BUDGET_USD)'
  const usd = formatUsd(dailyPico).replace(/(\.\d\d\d*?)0*$/, '$1')
  return `${usd} USD a UTC day for each user without another (DEFAULT_DAILY_BUDGET_USD)`
}

function quoteIfNeeded(file: string): string {
  return /^[\w./-]+$/.test(file) ? file : `'${file.replaceAll("'", String.raw`'\''`)}'`
}
