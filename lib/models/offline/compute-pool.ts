import { createThreadPool, TooComplex } from '../../sharing/thread-pool.ts'
import { type Computed, compute, type Question } from './compute.ts'
import { Refusal } from './errors.ts'

/** Bytes of a request that is answered within a few milliseconds. */
const shortBytes = 16_384
const deadlineMs = 60_000

export type ComputePool = {
  /**
   * @param size of the request, in characters
   * @throws {Refusal} 400 with the code `too_complex` for a request that takes longer than it may
   */
  compute(question: Question, size: number, signal: AbortSignal): Promise<Exclude<Computed, { kind: 'refused' }>>
  close(): Promise<void>
}

/**
 * Computes short requests at once and long ones on threads, so that whoever shares the process goes on working.
 * @param ownerOf whose turn a request takes when there is a line
 */
export function createComputePool({ ownerOf }: { ownerOf: () => string }): ComputePool {
  const threads = createThreadPool<Question, Computed>({
    name: 'offline answers',
    entry: new URL('./compute-thread.ts', import.meta.url),
    threads: 2,
    threadsOfOwner: 1,
    deadlineMs,
    longestWaitMs: 60_000,
    memoryMb: 512,
    // A thread keeps what its largest text took.
    idleMs: 20_000
  })

  async function onThread(question: Question, signal: AbortSignal): Promise<Computed> {
    try {
      return await threads.ask(ownerOf(), question, { signal })
    } catch (error) {
      if (!(error instanceof TooComplex)) throw error
      const message = 'The request takes longer than it may.'
      return {
        kind: 'refused',
        status: 400,
        error: { message, type: 'invalid_request_error', param: null, code: error.code }
      }
    }
  }

  return {
    async compute(question, size, signal) {
      const computed = size <= shortBytes ? compute(question) : await onThread(question, signal)
      if (computed.kind === 'refused') throw new Refusal(computed.status, computed.error)
      return computed
    },
    close: threads.close
  }
}
