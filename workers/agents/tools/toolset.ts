import type { AgentName } from '../../../lib/schemas/chat.ts'
import { specialists } from '../specialists.ts'
import type { AgentTool } from './tool.ts'

export type Toolset = ReturnType<typeof createToolset>

/** Which tools a specialist has. All of them read. */
export function createToolset({
  search,
  goals,
  snapshots
}: {
  search: AgentTool[]
  goals: AgentTool[]
  snapshots: AgentTool[]
}) {
  return {
    find(agent: AgentName, name: string): AgentTool | undefined {
      const tools = [...search, ...goals, ...(specialists[agent].readsCode ? snapshots : [])]
      return tools.find((tool) => tool.name === name)
    }
  }
}
