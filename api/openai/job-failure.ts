import { refusalIn } from '../../lib/models/refusal-message.ts'
import type { JobView } from '../../lib/schemas/job.ts'
import { WireError } from './wire-error.ts'

type Failure = { status: number; type?: string; code?: string; param?: string }

/** What the codes of failed jobs are to a client of OpenAI's API; what is not here is a 500. */
const failures: Record<string, Failure> = {
  budget_exhausted: { status: 429, type: 'insufficient_quota', code: 'insufficient_quota' },
  cancelled: { status: 409 },
  input_too_long: { status: 400, code: 'context_length_exceeded', param: 'input' },
  invalid_input: { status: 400 },
  too_complex: { status: 400, param: 'input' },
  refused: { status: 400, code: 'content_policy_violation' },
  provider_unavailable: { status: 503 },
  provider_unreachable: { status: 503 },
  provider_timeout: { status: 504 },
  provider_malformed: { status: 502 }
}

/** Statuses by which a provider speaks of the request, and not of the key or the model that the platform uses. */
const aboutRequest = new Set([400, 413, 422])

/** A job that ended without a result, as an answer: it is final, and its client need not try again. */
export function failureOf({ status, error }: Pick<JobView, 'status' | 'error'>): WireError {
  const { code = status, message = 'The job ended without a result' } = error ?? {}
  return new WireError(...answerFor(code, message), { 'x-should-retry': 'false' })
}

function answerFor(code: string, message: string): [number, ConstructorParameters<typeof WireError>[1]] {
  const refused = code === 'provider_refused' ? refusalIn(message) : undefined
  if (refused && aboutRequest.has(refused.status)) {
    return [refused.status, { message, code: refused.code ?? 'provider_refused' }]
  }
  if (refused) return [502, { message, code }]
  const { status, ...words } = failures[code] ?? { status: 500 }
  return [status, { code, ...words, message }]
}
