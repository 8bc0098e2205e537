import { countTokens } from '@goals/text'
import test from 'ava'
import { createOfflineProvider } from '../src/provider.ts'
import { CHAT, system, tool, user } from './setup.ts'

const item = {
  type: 'object',
  properties: { line: { type: 'integer' }, message: { type: 'string' } },
  required: ['line', 'message']
}
const review = {
  type: 'object',
  properties: { verdict: { enum: ['pass', 'fail'] }, issues: { type: 'array', items: item } },
  required: ['verdict', 'issues']
}
const route = {
  type: 'object',
  properties: { agent: { enum: ['tutor', 'planner'] }, tasks: { type: 'array', items: { type: 'string' } } },
  required: ['agent', 'tasks']
}
const asked = (schema: unknown) => ({ response_format: { type: 'json_schema', json_schema: { name: 'x', schema } } })
const tools = [
  tool('search_knowledge_base', { query: { type: 'string' } }),
  tool('create_task', { title: { type: 'string' } })
]

const units = [
  '\n',
  ' \n',
  '# \n',
  '![',
  '[a](',
  '<passage ',
  '<passage>',
  '<',
  '```\n',
  'def f(a):\n',
  'function f(a) {',
  '`${',
  '[1] a\n',
  'implement    ',
  'course 0198',
  '. "',
  '日'
]

// By itself: what else runs in the process would count.
test.serial('no text is so absurd that an answer takes seconds', async (t) => {
  const { fetch } = createOfflineProvider()
  countTokens('the tables are read with the first text')
  for (const unit of units) {
    const text = unit.repeat(Math.floor(60_000 / unit.length))
    const code = `Task \`x\`\n\`\`\`py\n${text}\n\`\`\``
    const bodies = [
      { messages: [user(text)] },
      { messages: [system(text), user('What is recursion? See course 1.')], tools },
      { messages: [system(`<passage n="1" title="x">${text}</passage>`), user('What is recursion?')] },
      { messages: [user(code)], ...asked(review) },
      { messages: [user(text)], ...asked(route) },
      { messages: [system('Summarize this.'), user(text), user(text)] }
    ]
    for (const body of bodies) {
      const begun = process.threadCpuUsage().user
      const response = await fetch('http://offline.invalid/v1/chat/completions', {
        method: 'POST',
        body: JSON.stringify({ model: CHAT, ...body })
      })
      await response.text()
      const tookMs = (process.threadCpuUsage().user - begun) / 1_000
      t.is(response.status, 200)
      t.true(tookMs < 2_000, `${JSON.stringify(unit)} took ${tookMs} ms`)
    }
  }
})
