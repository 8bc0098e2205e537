import type { SourceType } from '../schemas/sources.ts'

/** Something that an input names by its id. */
export type Reference = {
  /** where it stands in the input, as errors name it */
  field: string
  type: SourceType | 'course' | 'thread'
  id: string
  /** what is said when the sender cannot see it */
  refusal: string
}

const fields = {
  threadId: ['thread', 'is not a thread of yours'],
  courseId: ['course', 'is not a course you can see'],
  goalId: ['goal', 'is not a goal you can see'],
  taskId: ['task', 'is not a task you can see'],
  codeSnapshotId: ['code_snapshot', 'is not a code snapshot you can see']
} as const
type Field = keyof typeof fields

/** Those of these fields that an input fills, in this order. */
export function referencesIn(input: { readonly [F in Field]?: unknown }, ...names: Field[]): Reference[] {
  return names.flatMap((field) => {
    const id = input[field]
    const [type, refusal] = fields[field]
    return typeof id === 'string' ? [{ field, type, id, refusal }] : []
  })
}
