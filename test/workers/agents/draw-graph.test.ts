import { readFile } from 'node:fs/promises'
import test from 'ava'
import { drawChatGraph } from '../../../workers/agents/draw-graph.ts'

test('the documentation shows the graph that runs', async (t) => {
  const page = await readFile(new URL('../../../docs/agents.md', import.meta.url), 'utf8')
  const shown = /```mermaid\n([\s\S]*?)\n```/.exec(page)?.[1]
  t.is(shown, (await drawChatGraph()).trimEnd(), 'draw it anew with `node scripts/draw-agents.ts`')
})
