import { type Computed, compute, type Question } from './compute.ts'
import { Refusal } from './errors.ts'

/** Characters of a request that is answered within a few milliseconds. */
const shortChars = 16_384

/** Has a long request computed somewhere else, say on a thread, where `compute` answers it. */
export type ComputeLong = (question: Question, signal: AbortSignal) => Promise<Computed>

/**
 * @param size of the request, in characters
 * @throws {Refusal} for a request that is not answered
 */
export type Computing = (
  question: Question,
  size: number,
  signal: AbortSignal
) => Promise<Exclude<Computed, { kind: 'refused' }>>

/** Computes short requests at once, and long ones where it is told. */
export function createComputing(computeLong: ComputeLong): Computing {
  return async (question, size, signal) => {
    const computed = size <= shortChars ? compute(question) : await computeLong(question, signal)
    if (computed.kind === 'refused') throw new Refusal(computed.status, computed.error)
    return computed
  }
}

/** What becomes of a request that takes longer than it may: it is refused with 400 and the code `too_complex`. */
export const tooComplex: Computed = {
  kind: 'refused',
  status: 400,
  error: {
    message: 'The request takes longer than it may.',
    type: 'invalid_request_error',
    param: null,
    code: 'too_complex'
  }
}
