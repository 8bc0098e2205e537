import { parentPort } from 'node:worker_threads'
import type { ThreadAnswer, ThreadQuestion } from './thread-pool.ts'

/**
 * The loop of a pool's thread: answers one question at a time, in order. To be called once, by the thread's entry file.
 * @param answer its error's name, message and code reach whoever asked
 */
export function answerInThread<Question>(answer: (question: Question) => unknown): void {
  const port = parentPort
  if (!port) throw new Error('this file is the entry of a thread')
  port.on('message', ({ id, question }: ThreadQuestion) => {
    void (async () => answer(question as Question))().then(
      (result) => port.postMessage({ id, ok: true, answer: result } satisfies ThreadAnswer),
      (error: unknown) => {
        const { name = 'Error', message = String(error), code } = (error ?? {}) as Partial<NodeJS.ErrnoException>
        const failure = { name, message, ...(code === undefined ? {} : { code }) }
        port.postMessage({ id, ok: false, failure } satisfies ThreadAnswer)
      }
    )
  })
}
