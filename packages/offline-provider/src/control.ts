import type { OfflineProvider } from './provider.ts'
import { readSettingsPatch } from './settings.ts'
import { wholeBody, type WireReply, type WireRequest } from './transport.ts'

type Controlled = Pick<OfflineProvider, 'settings' | 'invoice' | 'invoiceTotals' | 'reset'>

const PREFIX = '/__offline/'

/**
 * The routes that only a listening provider has: `GET·PATCH /__offline/settings`, `GET /__offline/invoice` and
 * `POST /__offline/reset`.
 * @returns `undefined` for any other path
 */
export function control(provider: Controlled, { method, path, body }: WireRequest): WireReply | undefined {
  if (!path.startsWith(PREFIX)) return undefined
  const route = `${method} ${path.slice(PREFIX.length)}`
  switch (route) {
    case 'GET settings':
      return json(200, provider.settings.get())
    case 'PATCH settings':
    case 'POST settings':
    case 'PUT settings':
      return change(provider, body)
    case 'GET invoice':
      return json(200, { lines: provider.invoice(), totals: provider.invoiceTotals() })
    case 'POST reset':
      provider.reset()
      return json(200, provider.settings.get())
    default:
      return json(404, { error: { message: `Nothing is served at ${route}.` } })
  }
}

function change(provider: Controlled, body: string): WireReply {
  let patch: unknown
  try {
    patch = JSON.parse(body)
  } catch {
    return json(400, { error: { message: 'The body is not JSON.' } })
  }
  const read = readSettingsPatch(patch)
  if (typeof read === 'string') return json(400, { error: { message: `${read}.` } })
  return json(200, provider.settings.set(read))
}

function json(status: number, value: unknown): WireReply {
  return { status, headers: { 'content-type': 'application/json' }, body: wholeBody(JSON.stringify(value)) }
}
