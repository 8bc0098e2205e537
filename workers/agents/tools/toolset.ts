import type { ChatTool } from '../../../lib/models/client.ts'
import type { AgentName } from '../../../lib/schemas/chat.ts'
import { specialists } from '../specialists.ts'
import type { StagedWrite } from '../writes.ts'
import { type AgentTool, offered } from './tool.ts'

export type Toolset = ReturnType<typeof createToolset>

/** Which tools a specialist has. A tool that changes something is there only when that was allowed, and not otherwise refused. */
export function createToolset({
  search,
  goals,
  snapshots,
  writing
}: {
  search: AgentTool[]
  goals: AgentTool[]
  snapshots: AgentTool[]
  writing: Record<StagedWrite['op'], AgentTool>
}) {
  const toolsOf = (agent: AgentName, mayWrite: boolean): AgentTool[] => {
    const { readsCode, writes } = specialists[agent]
    return [...search, ...goals, ...(readsCode ? snapshots : []), ...(mayWrite ? writes.map((op) => writing[op]) : [])]
  }
  const all = [...search, ...goals, ...snapshots, ...Object.values(writing)]
  const definitions = new Map<AgentTool, ChatTool>(all.map((tool) => [tool, offered(tool)]))
  return {
    offered: (agent: AgentName, mayWrite: boolean): ChatTool[] =>
      toolsOf(agent, mayWrite).map((tool) => definitions.get(tool) as ChatTool),
    find: (agent: AgentName, mayWrite: boolean, name: string): AgentTool | undefined =>
      toolsOf(agent, mayWrite).find((tool) => tool.name === name)
  }
}
