import { parentPort } from 'node:worker_threads'
import { javascriptProblem } from './parse-javascript.ts'
import { createPythonParser } from './parse-python.ts'
import type { SyntaxAnswer, SyntaxQuestion } from './syntax-checker.ts'

/** Entry of the parser thread: one question at a time, answered in order. */
const port = parentPort
if (!port) throw new Error('this file is the entry of a thread')

let python: ReturnType<typeof createPythonParser> | undefined

port.on('message', ({ id, language, source }: SyntaxQuestion) => {
  void answer(language, source).then(
    (problem) => port.postMessage({ id, problem } satisfies SyntaxAnswer),
    (error: unknown) => port.postMessage({ id, problem: undefined, failure: String(error) } satisfies SyntaxAnswer)
  )
})

async function answer(language: SyntaxQuestion['language'], source: string) {
  if (language !== 'python') return javascriptProblem(source, language)
  python ??= createPythonParser()
  return (await python)(source)
}
