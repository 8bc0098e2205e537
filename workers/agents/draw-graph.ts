import { createChatGraph } from './graph.ts'
import type { Node } from './state.ts'

/** The graph as Mermaid, drawn from the graph that runs. */
export async function drawChatGraph(): Promise<string> {
  const never: Node = async () => {
    throw new Error('a drawing is not run')
  }
  const graph = await createChatGraph({
    route: never,
    retrieve: never,
    tools: never,
    write: never,
    respond: never,
    finish: never
  })
  const drawing = await graph.compile().getGraphAsync()
  return drawing.drawMermaid({ withStyles: false })
}
