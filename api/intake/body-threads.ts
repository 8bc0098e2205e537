import { availableParallelism } from 'node:os'
import type { AiAction } from '../../lib/actions/actions.ts'
import type { FieldError } from '../../lib/errors/app-error.ts'
import { createThreadPool, type ThreadPool } from '../../lib/sharing/thread-pool.ts'
import type { Bytes } from './gathered-bytes.ts'

export type BodyQuestion = {
  pieces: Bytes[]
  /** the action whose input it has to be */
  checkAs: AiAction | undefined
  /** whether the hash of the value is wanted too */
  hash: boolean
}

/** `json`: what a `JsonText` is made of, for a body that was checked; `value`: what was parsed. */
export type BodyAnswer =
  | { problem: string }
  | { errors: FieldError[] }
  | { json: Bytes; hash?: string }
  | { value: unknown; hash?: string }

/** Parsing 10 MiB takes a tenth of a second: whoever takes so long does not get a processor. */
const deadlineMs = 15_000
/** The text of 10 MiB in two bytes a character, its strings, and what a check makes of them. */
const memoryMb = 192
const idleMs = 20_000

export type BodyThreads = ThreadPool<BodyQuestion, BodyAnswer>

export const createBodyThreads = (): BodyThreads =>
  createThreadPool<BodyQuestion, BodyAnswer>({
    name: 'large bodies',
    entry: new URL('./body-thread.ts', import.meta.url),
    // The event loop keeps a processor of its own.
    threads: Math.max(1, Math.min(2, availableParallelism() - 1)),
    deadlineMs,
    memoryMb,
    idleMs
  })
