import type { ChatState, Node, NodeName } from './state.ts'

/**
 * Loads LangGraph, which takes half a second and 125 MB, so nobody does who runs no agents. Nothing else happens
 * meanwhile: a process that is to run them had better load it before it takes its first job.
 */
export async function loadAgents() {
  return await import('@langchain/langgraph')
}

/**
 * `route → retrieve → respond ⇄ tools → finish`, over nodes that are given.
 */
export async function createChatGraph(nodes: Record<NodeName, Node>) {
  const { Annotation, END, START, StateGraph } = await loadAgents()
  const State = Annotation.Root({
    agent: Annotation<ChatState['agent']>(),
    mayWrite: Annotation<ChatState['mayWrite']>(),
    messages: Annotation<ChatState['messages']>(),
    hits: Annotation<ChatState['hits']>(),
    calls: Annotation<ChatState['calls']>(),
    staged: Annotation<ChatState['staged']>(),
    summary: Annotation<ChatState['summary']>(),
    draft: Annotation<ChatState['draft']>(),
    answer: Annotation<ChatState['answer']>(),
    limitReached: Annotation<ChatState['limitReached']>(),
    rounds: Annotation<ChatState['rounds']>(),
    nodes: Annotation<ChatState['nodes']>(),
    steps: Annotation<ChatState['steps']>(),
    elapsedMs: Annotation<ChatState['elapsedMs']>(),
    spent: Annotation<ChatState['spent']>()
  })
  return new StateGraph(State)
    .addNode('route', nodes.route)
    .addNode('retrieve', nodes.retrieve)
    .addNode('respond', nodes.respond)
    .addNode('tools', nodes.tools)
    .addNode('finish', nodes.finish)
    .addEdge(START, 'route')
    .addEdge('route', 'retrieve')
    .addEdge('retrieve', 'respond')
    .addConditionalEdges('respond', ({ calls }) => (calls.length > 0 ? 'tools' : 'finish'), ['tools', 'finish'])
    .addEdge('tools', 'respond')
    .addEdge('finish', END)
}
