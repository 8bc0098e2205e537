import type { Scopes } from '../../lib/access/scope.ts'
import type { RagTools } from '../../lib/rag/tools.ts'
import type { RagTool } from '../../lib/rag/tools/tool.ts'
import type { RagToolName } from '../../lib/schemas/rag.ts'
import type { ProcessorOf } from '../processor.ts'

type Needs = { scopes: Scopes; tools: RagTools }

/** Runs one retrieval tool for the job's user, with the rights they have now. Changes nothing. */
export function ragSearchProcessor({ scopes, tools }: Needs): ProcessorOf<'rag_search'> {
  return async ({ input, user, signal }) => {
    const { tool, ...args } = input
    const scope = await scopes.forRun(user, args)
    const run = tools[tool] as RagTool<RagToolName>
    const result = await run(scope, args as Parameters<typeof run>[1], { signal })
    return { result }
  }
}
