import { constants, setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import type { ThreadAnswer, ThreadQuestion } from './thread-pool.ts'

/** An answer whose buffers move to whoever asked, instead of being copied. */
export class Moved<Answer> {
  readonly answer: Answer
  readonly transfer: ArrayBuffer[]
  constructor(answer: Answer, transfer: ArrayBuffer[]) {
    this.answer = answer
    this.transfer = transfer
  }
}

/**
 * The loop of a pool's thread: answers one question at a time, in order. To be called once, by the thread's entry file.
 * @param answer its error's name, message and code reach whoever asked
 * @param givesWay whether event loops and the database go before this thread when processors are scarce: right for long
 *   work that nobody waits at, wrong for short work with a deadline
 */
export function answerInThread<Question>(
  answer: (question: Question) => unknown,
  { givesWay = false }: { givesWay?: boolean } = {}
): void {
  const port = parentPort
  if (!port) throw new Error('this file is the entry of a thread')
  // Linux keeps a priority for each thread (setpriority(2), "C library/kernel differences"); elsewhere this would be
  // the whole process's.
  if (givesWay && process.platform === 'linux') setPriority(constants.priority.PRIORITY_BELOW_NORMAL)
  port.on('message', ({ id, question }: ThreadQuestion) => {
    void (async () => answer(question as Question))().then(
      (result) => {
        const { answer: told, transfer } = result instanceof Moved ? result : new Moved(result, [])
        port.postMessage({ id, ok: true, answer: told } satisfies ThreadAnswer, transfer)
      },
      (error: unknown) => {
        const { name = 'Error', message = String(error), code } = (error ?? {}) as Partial<NodeJS.ErrnoException>
        const failure = { name, message, ...(code === undefined ? {} : { code }) }
        port.postMessage({ id, ok: false, failure } satisfies ThreadAnswer)
      }
    )
  })
}
