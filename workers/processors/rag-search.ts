import type { Scopes } from '../../lib/access/scope.ts'
import type { RagTools } from '../../lib/rag/tools.ts'
import type { RagTool } from '../../lib/rag/tools/tool.ts'
import { JobError } from '../../lib/errors/job-error.ts'
import type { RagInput, RagToolName } from '../../lib/schemas/rag.ts'
import type { Processor } from '../processor.ts'

type Needs = {
  scopes: Scopes
  tools: RagTools
  people: { find(id: string): Promise<{ role: 'user' | 'admin' } | undefined> }
}

/** Runs one retrieval tool for the job's user, with the rights they have now. Changes nothing. */
export function ragSearchProcessor({ scopes, tools, people }: Needs): Processor<RagInput> {
  return async ({ input, userId, signal }) => {
    const person = await people.find(userId)
    if (!person) throw new JobError('not_found', 'the user was not found', { retryable: false })
    const { tool, ...args } = input
    const scope = await scopes.forRun({ id: userId, role: person.role }, args)
    const run = tools[tool] as RagTool<RagToolName>
    const result = await run(scope, args as Parameters<typeof run>[1], { signal })
    return { result }
  }
}
