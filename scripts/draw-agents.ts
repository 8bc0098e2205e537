import { readFile, writeFile } from 'node:fs/promises'
import { drawChatGraph } from '../workers/agents/draw-graph.ts'

/** `node scripts/draw-agents.ts`: draws the agents' graph anew into docs/agents.md. */
const page = new URL('../docs/agents.md', import.meta.url)
const drawing = `\`\`\`mermaid\n${(await drawChatGraph()).trimEnd()}\n\`\`\``
const text = await readFile(page, 'utf8')
await writeFile(
  page,
  text.replace(/```mermaid\n[\s\S]*?```/, () => drawing)
)
