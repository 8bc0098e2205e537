import type { BaseCheckpointSaver } from '@langchain/langgraph'
import { createChatGraph } from './graph.ts'
import { finishNode } from './nodes/finish.ts'
import { respondNode } from './nodes/respond.ts'
import { retrieveNode } from './nodes/retrieve.ts'
import { routeNode } from './nodes/route.ts'
import type { Run } from './nodes/run.ts'
import { toolsNode } from './nodes/tools.ts'
import { timed } from './nodes/timed.ts'
import { writeNode } from './nodes/write.ts'
import { type ChatState, initialState } from './state.ts'

/** LangGraph's own bound, behind ours: a graph that does not end is a bug. */
const recursionLimit = 100

/**
 * Runs the graph for a job, or goes on where an earlier attempt of it stopped: each step is kept before the next one
 * begins.
 * @returns the state in which it ended, with an answer
 */
export async function runGraph({
  run,
  jobId,
  saver
}: {
  run: Run
  jobId: string
  saver: BaseCheckpointSaver
}): Promise<ChatState> {
  const graph = await createChatGraph({
    route: timed('route', routeNode(run), run),
    retrieve: timed('retrieve', retrieveNode(run), run),
    tools: timed('tools', toolsNode(run), run),
    write: timed('write', writeNode(run), run),
    respond: timed('respond', respondNode(run), run),
    finish: timed('finish', finishNode(run), run)
  })
  const compiled = graph.compile({ checkpointer: saver })
  const config = { configurable: { thread_id: jobId }, durability: 'sync' as const, recursionLimit }
  const saved = await compiled.getState(config)
  const kept = saved.values as ChatState
  if (kept.answer) {
    run.log.info('the run had ended before, its answer is told again')
    run.stream.repeat(kept.answer.message.content)
    return kept
  }
  // Not `next`: it is empty, too, when a step's changes were kept but the step's end was not.
  // A state without a plan to look at is one of an earlier version, whose model could call tools: that run begins anew.
  const resumed = saved.createdAt !== undefined && kept.plan !== undefined
  if (resumed) run.log.info({ next: saved.next }, 'the run goes on where it stopped')
  return (await compiled.invoke(resumed ? null : initialState, config)) as ChatState
}
