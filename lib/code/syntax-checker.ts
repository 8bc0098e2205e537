import { Worker } from 'node:worker_threads'

/** The first thing a parser objects to; `line` and `column` count from 1. */
export type SyntaxProblem = { line: number; column: number; message: string }

export type ParsedLanguage = 'javascript' | 'typescript' | 'python'
export type SyntaxQuestion = { id: number; language: ParsedLanguage; source: string }
export type SyntaxAnswer = { id: number; problem: SyntaxProblem | undefined; failure?: string }

/** `unchecked`: no parser for the language, or the parser did not come to an end. */
export type SyntaxVerdict =
  | { checked: true; problem: SyntaxProblem | undefined }
  | { checked: false; reason: 'language' | 'time' | 'failure' }

export type SyntaxChecker = {
  check(language: string, source: string): Promise<SyntaxVerdict>
  /** Ends the parser thread. */
  close(): Promise<void>
}

const parsed: readonly string[] = ['javascript', 'typescript', 'python'] satisfies ParsedLanguage[]

/**
 * Syntax checks in a thread of their own: a parser that backtracks without end on hostile input (Babel takes
 * exponential time for nested `f<T>(f<T>(…`) blocks nobody and is ended after `timeoutMs`.
 * The thread starts with the first check and keeps no process alive.
 */
export function createSyntaxChecker({ timeoutMs = 5_000 }: { timeoutMs?: number } = {}): SyntaxChecker {
  type Waiting = SyntaxQuestion & { resolve: (verdict: SyntaxVerdict) => void }
  const queue: Waiting[] = []
  let thread: Worker | undefined
  let current: { waiting: Waiting; timer: NodeJS.Timeout } | undefined
  let nextId = 1

  function finish(verdict: SyntaxVerdict): void {
    if (!current) return
    clearTimeout(current.timer)
    const { waiting } = current
    current = undefined
    waiting.resolve(verdict)
    next()
  }

  function drop(reason: 'time' | 'failure'): void {
    const dropped = thread
    thread = undefined
    void dropped?.terminate()
    finish({ checked: false, reason })
  }

  function start(): Worker {
    const started = new Worker(new URL('./syntax-thread.ts', import.meta.url), {
      // Enough for the largest source with its tree; a thread that wants more ends, not the process.
      resourceLimits: { maxOldGenerationSizeMb: 512 },
      env: {}
    })
    started.on('message', (answer: SyntaxAnswer) => {
      if (answer.id !== current?.waiting.id) return
      finish(
        answer.failure === undefined
          ? { checked: true, problem: answer.problem }
          : { checked: false, reason: 'failure' }
      )
    })
    const ended = () => {
      if (thread === started) drop('failure')
    }
    started.on('error', ended)
    started.on('exit', ended)
    return started
  }

  function next(): void {
    const waiting = queue.shift()
    if (!waiting) {
      thread?.unref()
      return
    }
    thread ??= start()
    thread.ref()
    current = { waiting, timer: setTimeout(() => drop('time'), timeoutMs) }
    thread.postMessage({ id: waiting.id, language: waiting.language, source: waiting.source } satisfies SyntaxQuestion)
  }

  return {
    check(language, source) {
      if (!parsed.includes(language)) return Promise.resolve({ checked: false, reason: 'language' })
      return new Promise((resolve) => {
        queue.push({ id: nextId++, language: language as ParsedLanguage, source, resolve })
        if (!current) next()
      })
    },
    async close() {
      const ending = thread
      thread = undefined
      for (const { resolve } of queue.splice(0)) resolve({ checked: false, reason: 'failure' })
      finish({ checked: false, reason: 'failure' })
      await ending?.terminate()
    }
  }
}
