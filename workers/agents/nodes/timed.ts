import type { ChatState, Node, NodeName } from '../state.ts'
import type { Run } from './run.ts'

/** Adds to what a node returns that it was run, how long it took, and what the run has used by then. */
export function timed(name: NodeName, node: Node, { purse, signal }: Pick<Run, 'purse' | 'signal'>): Node {
  return async (state: ChatState) => {
    signal.throwIfAborted()
    const startedAt = performance.now()
    const changes = await node(state)
    const spent = await purse.spent()
    const tookMs = Math.round(performance.now() - startedAt)
    const steps = changes.steps ?? [...state.steps, { node: name, tookMs }]
    return { ...changes, steps, spent, nodes: state.nodes + 1, elapsedMs: state.elapsedMs + tookMs }
  }
}
