import type { Actor } from '../access/actor.ts'
import { type FieldError, invalid } from '../errors/app-error.ts'
import type { EmbeddingInput } from '../schemas/embedding.ts'
import type { ReferenceAccess } from './tools/tool.ts'

type Person = Pick<Actor, 'id' | 'role'>

const fields = {
  courseId: ['course', 'a course'],
  goalId: ['goal', 'a goal'],
  taskId: ['task', 'a task'],
  codeSnapshotId: ['code_snapshot', 'a code snapshot']
} as const

/** Looks, before a job is accepted, whether what its input refers to can be seen. Each throws 422 naming every such field. */
export function createReferences({ access }: { access: ReferenceAccess }) {
  return {
    async checkReferences(person: Person, input: { readonly [field: string]: unknown }): Promise<void> {
      const errors: FieldError[] = []
      for (const [field, [type, name]] of Object.entries(fields)) {
        const id = input[field]
        if (typeof id === 'string' && !(await access.canSee(person, { type, id }))) {
          errors.push({ path: field, message: `is not ${name} you can see` })
        }
      }
      if (errors.length > 0) throw invalid(errors)
    },

    async checkSource(person: Person, input: EmbeddingInput): Promise<void> {
      if ('source' in input && !(await access.canSee(person, input.source))) {
        throw invalid([{ path: 'source.id', message: 'is not a record you can see' }])
      }
    }
  }
}
