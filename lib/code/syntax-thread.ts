import { answerInThread } from '../sharing/answer-in-thread.ts'
import { javascriptProblem } from './parse-javascript.ts'
import { createPythonParser } from './parse-python.ts'
import type { SyntaxAnswer, SyntaxQuestion } from './syntax-checker.ts'

/** Entry of a parser thread. */
let python: ReturnType<typeof createPythonParser> | undefined

answerInThread(async ({ language, source }: SyntaxQuestion): Promise<SyntaxAnswer> => {
  if (language !== 'python') return { problem: javascriptProblem(source, language) }
  python ??= createPythonParser()
  return { problem: (await python)(source) }
})
