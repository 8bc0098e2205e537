import { parseArgs } from 'node:util'
import { offlineModels } from '@goals/offline-provider'
import { openOfflineProvider } from '../lib/models/open-offline.ts'

const HELP = `Serves the offline model provider over HTTP, in the OpenAI wire format.

  npm run provider -- [options]

  --port <n>        where it listens; 0 takes a free port (8090)
  --host <address>  address it listens on (127.0.0.1)
  --latency <ms>    milliseconds to the first byte of an answer (0)
  --token-ms <ms>   milliseconds for each token produced (0)
  --rpm <n>         requests per minute for each model (not limited)
  --tpm <n>         tokens per minute for each model (not limited)
  --api-key <key>   the only key it takes (any, or none)
  --seed <n>        seed of faults with a probability (1)
  --help            this text

Steer it while it runs: GET and PATCH /__offline/settings, GET /__offline/invoice, POST /__offline/reset.
`

const { values, problem } = readArguments()
if (values?.help) {
  process.stdout.write(HELP)
} else if (values === undefined) {
  process.stderr.write(`${problem}\n\n${HELP}`)
  process.exitCode = 2
} else {
  await serve(values)
}

type Arguments = NonNullable<ReturnType<typeof readArguments>['values']>

async function serve(options: Arguments): Promise<void> {
  const provider = openOfflineProvider({
    latencyMs: options.latencyMs,
    tokenMs: options.tokenMs,
    apiKey: options.apiKey,
    seed: options.seed,
    limits: { requestsPerMinute: options.rpm, tokensPerMinute: options.tpm }
  })
  try {
    const { url, close } = await provider.listen(options.port, options.host)
    console.log(`The offline provider listens at ${url}`)
    console.log(`Models: ${offlineModels.map(({ id }) => id).join(', ')}`)
    console.log(`Use it: OPENAI_BASE_URL=${url} CHAT_MODEL=offline-chat-mini EMBEDDING_MODEL=offline-embedding-small`)
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void close())
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    process.stderr.write(`The offline provider could not listen on ${options.host}:${options.port}: ${reason}\n`)
    process.exitCode = 1
  }
}

function readArguments() {
  const text = { type: 'string' } as const
  try {
    const { values: given } = parseArgs({
      options: {
        port: text,
        host: text,
        latency: text,
        'token-ms': text,
        rpm: text,
        tpm: text,
        'api-key': text,
        seed: text,
        help: { type: 'boolean' }
      }
    })
    return {
      values: {
        help: given.help ?? false,
        port: whole('port', given.port, 65_535) ?? 8_090,
        host: given.host ?? '127.0.0.1',
        latencyMs: amount('latency', given.latency) ?? 0,
        tokenMs: amount('token-ms', given['token-ms']) ?? 0,
        rpm: whole('rpm', given.rpm) ?? null,
        tpm: whole('tpm', given.tpm) ?? null,
        apiKey: given['api-key'] ?? null,
        seed: whole('seed', given.seed) ?? 1
      }
    }
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}

function amount(name: string, given: string | undefined): number | undefined {
  if (given === undefined) return undefined
  const value = Number(given)
  if (given.trim() === '' || !(value >= 0)) throw new Error(`--${name} must be a number of at least 0, not “${given}”.`)
  return value
}

function whole(name: string, given: string | undefined, most = Number.MAX_SAFE_INTEGER): number | undefined {
  const value = amount(name, given)
  if (value === undefined || (Number.isInteger(value) && value <= most)) return value
  throw new Error(`--${name} must be a whole number of at most ${most}, not “${given}”.`)
}
