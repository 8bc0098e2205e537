import { createOfflineProvider } from '@goals/offline-provider'
import type { TestFn } from 'ava'
import OpenAI from 'openai'
import { startWorkers } from '../../workers/start-workers.ts'
import { runningApiForFile } from './running-api.ts'

/** More than any test that is not about limits could use up. */
const roomy = Object.fromEntries(
  ['api_call', 'chat_completion', 'embedding_generation', 'address', 'address_ai'].map((name) => [
    name,
    { limitPerMinute: 100_000 }
  ])
)

/**
 * An API with workers and a model provider of the file's own, and unchanged clients of OpenAI's API.
 * @param env adds to the configuration
 */
export async function openAiForFile(test: TestFn, env: Record<string, string> = {}) {
  const provider = createOfflineProvider()
  const listening = await provider.listen()
  const config = {
    OPENAI_BASE_URL: listening.url,
    CHAT_MODEL: 'offline-chat-mini',
    EMBEDDING_MODEL: 'offline-embedding-small',
    RABBITMQ_URL: 'off',
    RATE_LIMITS: JSON.stringify(roomy),
    ...env
  }
  const running = runningApiForFile(test, config, async ({ context }, onClose) => {
    const workers = await startWorkers({ context, name: 'test' })
    onClose(workers.stop)
  })
  test.after.always(() => listening.close())

  return {
    ...running,
    provider,
    /** A client of somebody new, that does not try again unless told. */
    async newOpenAi(options: ConstructorParameters<typeof OpenAI>[0] = {}) {
      const client = await running.api().newClient()
      const openai = new OpenAI({ apiKey: client.key, baseURL: `${running.api().url}/v1`, maxRetries: 0, ...options })
      return { ...client, openai }
    }
  }
}
