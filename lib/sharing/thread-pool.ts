import { Worker } from 'node:worker_threads'
import { createTurns, TurnOverdue } from './turns.ts'

/** What travels between a pool and its threads. */
export type ThreadQuestion = { id: number; question: unknown }
export type ThreadAnswer =
  | { id: number; ok: true; answer: unknown }
  | { id: number; ok: false; failure: { name: string; message: string; code?: string } }

export type ThreadPool<Question, Answer> = {
  /**
   * Has a thread answer a question when it is its owner's turn.
   * @param owner whose question it is, for the turns: a user's id
   * @param transfer buffers of the question that move to the thread instead of being copied
   * @param deadlineMs for this question, when it is not the pool's
   * @throws TooComplex past the deadline, or when the thread ran out of memory: that thread is ended, nobody else
   *   notices; ThreadFailure for what the thread threw; AppError `busy` when the wait was too long
   */
  ask(
    owner: string,
    question: Question,
    options?: { signal?: AbortSignal; transfer?: ArrayBuffer[]; deadlineMs?: number }
  ): Promise<Answer>
  counts(): { running: number; waiting: number }
  /** Ends the threads. What is being asked fails. */
  close(): Promise<void>
}

/** Work that its thread could not do in the time or the memory it has. */
export class TooComplex extends Error {
  override name = 'TooComplex'
  readonly code = 'too_complex'
}

/** What the code in a thread threw: `code` is the thrown error's own. */
export class ThreadFailure extends Error {
  override name = 'ThreadFailure'
  readonly code: string | undefined
  readonly thrown: string
  constructor({ name, message, code }: { name: string; message: string; code?: string }) {
    super(message)
    this.thrown = name
    this.code = code
  }
}

type Member = { worker: Worker; current: Asked | undefined; idleTimer?: NodeJS.Timeout }
type Asked = { id: number; resolve: (answer: never) => void; reject: (error: Error) => void }

/**
 * Threads for work that may take long: questions are answered in turn, owner by owner, each within a deadline. A thread
 * that is late is replaced at once, one that fails when the next question comes. Threads start with the first question and keep no
 * process alive.
 * @param entry file of the thread, which calls `answerInThread`
 * @param threads at once
 * @param deadlineMs for one question, beginning when its turn comes
 * @param memoryMb old generation of one thread
 * @param idleMs after which a thread that nobody asks is ended, and its memory is free again; never without it
 */
export function createThreadPool<Question, Answer>({
  name,
  entry,
  threads,
  threadsOfOwner = threads,
  deadlineMs,
  longestWaitMs = 30_000,
  waitingOfOwner = 1_000,
  lateYield = false,
  memoryMb = 256,
  idleMs
}: {
  name: string
  entry: URL
  threads: number
  threadsOfOwner?: number
  deadlineMs: number
  longestWaitMs?: number
  waitingOfOwner?: number
  /** whether an owner whose last question was given up is served after all others who wait */
  lateYield?: boolean
  memoryMb?: number
  idleMs?: number
}): ThreadPool<Question, Answer> {
  const turns = createTurns({
    name,
    places: threads,
    placesOfOwner: threadsOfOwner,
    waitingOfOwner,
    longestWaitMs,
    longestTurnMs: deadlineMs,
    lateYield
  })
  const members = new Set<Member>()
  const idle: Member[] = []
  let nextId = 1
  let closed = false

  function start(): Member {
    const worker = new Worker(entry, { resourceLimits: { maxOldGenerationSizeMb: memoryMb }, env: {} })
    const member: Member = { worker, current: undefined }
    members.add(member)
    worker.on('message', (answer: ThreadAnswer) => {
      const asked = member.current
      if (asked?.id !== answer.id) return
      member.current = undefined
      worker.unref()
      rest(member)
      if (answer.ok) asked.resolve(answer.answer as never)
      else asked.reject(new ThreadFailure(answer.failure))
    })
    const ended = (error?: unknown) => {
      remove(member)
      const { code, message = 'the thread ended' } = (error ?? {}) as { code?: string; message?: string }
      const outOfMemory = code === 'ERR_WORKER_OUT_OF_MEMORY'
      member.current?.reject(
        outOfMemory
          ? new TooComplex(`${name}: more memory than a thread has`)
          : new ThreadFailure({ name: 'Error', message })
      )
      member.current = undefined
    }
    worker.on('error', ended)
    worker.on('exit', () => ended())
    return member
  }

  function rest(member: Member): void {
    idle.push(member)
    if (idleMs === undefined) return
    member.idleTimer = setTimeout(() => {
      remove(member)
      void member.worker.terminate()
    }, idleMs).unref()
  }

  /** Behind those that have answered before: whoever sends what is given up must not leave others to threads that start. */
  function replace(): void {
    if (closed || members.size >= threads) return
    const member = start()
    member.worker.unref()
    rest(member)
    idle.unshift(...idle.splice(-1))
  }

  function remove(member: Member): void {
    clearTimeout(member.idleTimer)
    members.delete(member)
    const at = idle.indexOf(member)
    if (at >= 0) idle.splice(at, 1)
  }

  return {
    async ask(owner, question, { signal, transfer = [], deadlineMs: ownDeadlineMs } = {}) {
      if (closed) throw new ThreadFailure({ name: 'Error', message: `${name}: closed` })
      return await turns
        .run(
          owner,
          (ended) =>
            new Promise<Answer>((resolve, reject) => {
              if (closed) return reject(new ThreadFailure({ name: 'Error', message: `${name}: closed` }))
              const member = idle.pop() ?? start()
              clearTimeout(member.idleTimer)
              const id = nextId++
              member.current = { id, resolve, reject }
              member.worker.ref()
              // A thread cannot be interrupted otherwise: whatever it computes, it goes.
              const drop = () => {
                if (member.current?.id !== id) return
                member.current = undefined
                remove(member)
                void member.worker.terminate()
                replace()
              }
              ended.addEventListener('abort', drop, { once: true })
              member.worker.postMessage({ id, question } satisfies ThreadQuestion, transfer)
            }),
          signal,
          ownDeadlineMs
        )
        .catch((error: unknown) => {
          if (error instanceof TurnOverdue) throw new TooComplex(error.message, { cause: error })
          throw error
        })
    },
    counts: turns.counts,
    async close() {
      closed = true
      const ending = [...members]
      for (const member of ending) {
        member.current?.reject(new ThreadFailure({ name: 'Error', message: `${name}: closed` }))
        member.current = undefined
      }
      for (const { idleTimer } of idle.splice(0)) clearTimeout(idleTimer)
      members.clear()
      await Promise.all(ending.map(({ worker }) => worker.terminate()))
    }
  }
}
