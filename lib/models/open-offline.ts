import {
  type Computed,
  createOfflineProvider,
  type OfflineProvider,
  type OfflineProviderOptions,
  type Question,
  tooComplex
} from '@goals/offline-provider'
import { createThreadPool, TooComplex } from '../sharing/thread-pool.ts'

const deadlineMs = 60_000

/**
 * The offline provider with threads for long requests, so that whoever shares the process goes on working. The threads
 * start with the first long request, end when they are idle, and keep no process alive.
 * @param ownerOf whose turn a long request takes when there is a line
 */
export function openOfflineProvider({
  ownerOf = () => '',
  ...options
}: OfflineProviderOptions & { ownerOf?: () => string } = {}): OfflineProvider {
  const threads = createThreadPool<Question, Computed>({
    name: 'offline answers',
    entry: new URL('./offline-thread.ts', import.meta.url),
    threads: 2,
    threadsOfOwner: 1,
    deadlineMs,
    longestWaitMs: 60_000,
    memoryMb: 512,
    // A thread keeps what its largest text took.
    idleMs: 20_000
  })
  return createOfflineProvider({
    ...options,
    async computeLong(question, signal) {
      try {
        return await threads.ask(ownerOf(), question, { signal })
      } catch (error) {
        if (error instanceof TooComplex) return tooComplex
        throw error
      }
    }
  })
}
