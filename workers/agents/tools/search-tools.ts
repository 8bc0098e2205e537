import type { Scope, Scopes } from '../../../lib/access/scope.ts'
import type { RagTools } from '../../../lib/rag/tools.ts'
import { type RagToolArguments, type RagToolName, ragToolSchemas } from '../../../lib/schemas/rag.ts'
import type { z } from 'zod'
import { type AgentTool, agentTool } from './tool.ts'

/** An agent reads what it finds, so it is given less than a person who looks through a list. */
const mostHits = 8

type Arguments = RagToolArguments<RagToolName>

/** The five retrieval tools, each within the caller's scope. */
export function searchTools({ rag, scopes }: { rag: RagTools; scopes: Pick<Scopes, 'forRun'> }): AgentTool[] {
  const tool = <N extends RagToolName>(name: N): AgentTool =>
    agentTool({
      name,
      schema: ragToolSchemas[name] as unknown as z.ZodType<Arguments>,
      searches: (args) => ('query' in args && args.query !== undefined ? args.query : ''),
      async run(args, { person, signal, step }) {
        const scope: Scope = await scopes.forRun(person, args)
        const limited = { ...args, limit: Math.min(args.limit, mostHits) } as RagToolArguments<N>
        const { hits } = await rag[name](scope, limited, { signal, step })
        return {
          kind: 'found',
          found: hits.map(({ sourceType, sourceId, title, content, score }) => ({
            sourceType,
            sourceId,
            title,
            content,
            score
          }))
        }
      }
    })
  return [
    tool('search_knowledge_base'),
    tool('get_course_documentation'),
    tool('get_task_context'),
    tool('get_similar_goals'),
    tool('get_similar_code')
  ]
}
