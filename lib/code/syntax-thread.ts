import { answerInThread } from '../sharing/answer-in-thread.ts'
import { createJavascriptParser } from './parse-javascript.ts'
import { createPythonParser } from './parse-python.ts'
import type { SyntaxAnswer, SyntaxQuestion } from './syntax-checker.ts'

/** Entry of a parser thread. */
const javascript = createJavascriptParser()
let python: ReturnType<typeof createPythonParser> | undefined

answerInThread(async ({ language, source }: SyntaxQuestion): Promise<SyntaxAnswer> => {
  if (language !== 'python') return javascript(source, language)
  python ??= createPythonParser()
  return (await python)(source)
})
