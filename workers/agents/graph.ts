import { setImmediate } from 'node:timers/promises'
import { asksForWrites } from './plan.ts'
import type { ChatState, Node, NodeName } from './state.ts'

/**
 * Loads LangGraph, which takes half a second and 125 MB: the first chat of a process does, and nobody who runs none.
 * What it rests on is loaded before it, part by part, so that jobs that run already have their turns in between.
 */
export async function loadAgents() {
  await import('@langchain/core/messages')
  await setImmediate()
  await import('@langchain/core/tools')
  await setImmediate()
  return await import('@langchain/langgraph')
}

/**
 * `route → retrieve → tools → write → respond → finish`, over nodes that are given. What `tools` and `write` do is
 * settled by `route`, which is left before anything is read that others wrote; where there is nothing to do, they are
 * passed over.
 */
export async function createChatGraph(nodes: Record<NodeName, Node>) {
  const { Annotation, END, START, StateGraph } = await loadAgents()
  const State = Annotation.Root({
    plan: Annotation<ChatState['plan']>(),
    messages: Annotation<ChatState['messages']>(),
    hits: Annotation<ChatState['hits']>(),
    results: Annotation<ChatState['results']>(),
    staged: Annotation<ChatState['staged']>(),
    report: Annotation<ChatState['report']>(),
    summary: Annotation<ChatState['summary']>(),
    draft: Annotation<ChatState['draft']>(),
    answer: Annotation<ChatState['answer']>(),
    limitReached: Annotation<ChatState['limitReached']>(),
    nodes: Annotation<ChatState['nodes']>(),
    steps: Annotation<ChatState['steps']>(),
    elapsedMs: Annotation<ChatState['elapsedMs']>(),
    spent: Annotation<ChatState['spent']>()
  })
  const afterTools = ({ plan }: Pick<ChatState, 'plan'>) => (plan && asksForWrites(plan) ? 'write' : 'respond')
  return new StateGraph(State)
    .addNode('route', nodes.route)
    .addNode('retrieve', nodes.retrieve)
    .addNode('tools', nodes.tools)
    .addNode('write', nodes.write)
    .addNode('respond', nodes.respond)
    .addNode('finish', nodes.finish)
    .addEdge(START, 'route')
    .addEdge('route', 'retrieve')
    .addConditionalEdges('retrieve', (state) => (state.plan?.reads.length ? 'tools' : afterTools(state)), [
      'tools',
      'write',
      'respond'
    ])
    .addConditionalEdges('tools', afterTools, ['write', 'respond'])
    .addEdge('write', 'respond')
    .addEdge('respond', 'finish')
    .addEdge('finish', END)
}
