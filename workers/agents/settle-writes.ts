import { newId } from '../../lib/ids.ts'
import type { Access } from '../../lib/records/access.ts'
import { matchTitle, namesNothing, wordTitles } from '../../lib/records/match-title.ts'
import type { Person } from '../../lib/records/viewer.ts'
import type { ChatInput } from '../../lib/schemas/chat.ts'
import { type GoalCreate, goalCreateSchema, goalPatchSchema } from '../../lib/schemas/goal.ts'
import { type TaskCreate, taskCreateSchema, taskPatchSchema } from '../../lib/schemas/task.ts'
import { type Plan, type PlannedChange, type PlannedCreation, typesOf } from './plan.ts'
import type { Proposals, RecordText } from './proposals.ts'
import type { References } from './references.ts'
import type { ToolResult } from './state.ts'
import type { StagedWrite } from './writes.ts'

/** Records that one answer creates and changes. */
const mostWrites = 50
const saved = 'will be saved together with this answer'

type Settled = { staged: StagedWrite[]; results: ToolResult[] }
type Parsed<T> =
  | { success: true; data: T }
  | { success: false; error: { issues: { path: PropertyKey[]; message: string }[] } }

/**
 * Turns what was asked for into changes of the person's own records. What cannot be done is told, and the rest is done.
 * @param proposals texts for the new records that the plan leaves to be written
 */
export async function settleWrites({
  plan,
  proposals,
  person,
  input,
  references,
  access
}: {
  plan: Plan
  proposals: Proposals
  person: Person
  input: Pick<ChatInput, 'courseId'>
  references: References
  access: Pick<Access, 'visibleCourse'>
}): Promise<Settled> {
  const staged: StagedWrite[] = []
  const results: ToolResult[] = []
  const texts = { goal: [...proposals.goal], task: [...proposals.task] }
  const types = typesOf(plan.agent)
  /** goals that this run creates; one that got its title from the material is not found by it */
  const created: { id: string; title: string }[] = []

  for (const creation of plan.creations) {
    results.push(await settleCreation(creation))
  }
  for (const change of plan.changes) {
    results.push(await settleChange(change))
  }
  return { staged, results }

  async function settleCreation(creation: PlannedCreation): Promise<ToolResult> {
    const { type } = creation
    const tool = `create_${type}`
    if (!types.includes(type)) return refused(tool, `this agent creates no ${type}s`)
    const own: RecordText[] = creation.titles.map((title) => ({ title, description: creation.description }))
    const written = texts[type].splice(0, Math.max(0, Math.floor(creation.toWrite)))
    if (own.length + written.length === 0) return refused(tool, 'no text for it could be made')
    const goal = type === 'task' ? await goalFor(creation.goal) : undefined
    if (goal && !goal.ok) return refused(tool, goal.message)
    const made: object[] = []
    const problems: string[] = []
    for (const [at, { title, description }] of [...own, ...written].entries()) {
      const fields = {
        title,
        ...(description === null ? {} : { description }),
        ...(creation.status === null ? {} : { status: creation.status }),
        ...dueOf(creation.due)
      }
      if (staged.length >= mostWrites) problems.push(`at most ${mostWrites} changes in one answer`)
      else if (goal) stage(taskCreateSchema.safeParse({ ...fields, goalId: goal.id }))
      else {
        const id = stage(goalCreateSchema.safeParse({ ...fields, ...(await courseAtHand()) }))
        if (id !== undefined) created.push({ id, title: at < own.length ? title : '' })
      }
    }
    if (made.length === 0) return refused(tool, problems[0] ?? 'nothing was given')
    return told(tool, {
      [`${type}s`]: made,
      state: saved,
      ...(problems.length > 0 ? { left_out: [...new Set(problems)] } : {})
    })

    function stage(parsed: Parsed<GoalCreate | TaskCreate>): string | undefined {
      if (!parsed.success) {
        problems.push(problemOf(parsed))
        return undefined
      }
      const id = newId()
      staged.push({ id, op: tool, input: parsed.data } as StagedWrite)
      made.push({ id, title: parsed.data.title, status: parsed.data.status })
      return id
    }
  }

  async function settleChange(change: PlannedChange): Promise<ToolResult> {
    const { type, title, description, status } = change
    const tool = `update_${type}`
    if (!types.includes(type)) return refused(tool, `this agent changes no ${type}s`)
    if (staged.length >= mostWrites) return refused(tool, `at most ${mostWrites} changes in one answer`)
    const found = await references.find(type, change.record)
    if (!found.ok) return refused(tool, found.message)
    const { record } = found
    if (record.userId !== person.id) return refused(tool, `it is no ${type} of theirs`)
    const moved = type === 'task' && change.goal !== null ? await goalFor(change.goal) : undefined
    if (moved && !moved.ok) return refused(tool, moved.message)
    const patch = {
      ...(title === null ? {} : { title }),
      ...(description === null ? {} : { description }),
      ...(status === null ? {} : { status }),
      ...dueOf(change.due),
      ...(moved ? { goalId: moved.id } : {})
    }
    if (Object.keys(patch).length === 0) return refused(tool, 'the message has to say what it is to be changed to')
    const parsed = type === 'goal' ? goalPatchSchema.safeParse(patch) : taskPatchSchema.safeParse(patch)
    if (!parsed.success) return refused(tool, problemOf(parsed))
    staged.push({ id: record.id, op: tool, input: parsed.data } as StagedWrite)
    return told(tool, { [type]: { id: record.id, title: record.title, ...parsed.data }, state: saved })
  }

  /** The goal of a task: one that this run creates, the one at hand, or the one that is named. */
  async function goalFor(said: string | null): Promise<{ ok: true; id: string } | { ok: false; message: string }> {
    if (said === null || namesNothing(said)) {
      const last = created.at(-1)
      if (last) return { ok: true, id: last.id }
      if (plan.creations.some(({ type }) => type === 'goal')) {
        return { ok: false, message: 'the goal that it was to belong to could not be created' }
      }
    }
    const match = said === null ? undefined : matchTitle(said, wordTitles(created))
    if (match?.kind === 'one') return { ok: true, id: match.record.id }
    const found = await references.find('goal', said)
    if (!found.ok) return found
    if (found.record.userId !== person.id) return { ok: false, message: 'it is no goal of theirs' }
    return { ok: true, id: found.record.id }
  }

  /** A goal that is created while a course is looked at belongs to it. */
  async function courseAtHand(): Promise<{ courseId?: string }> {
    const { courseId } = input
    return courseId !== undefined && (await access.visibleCourse(person, courseId)) ? { courseId } : {}
  }
}

/** A day is its beginning in UTC. */
const dueOf = (due: string | null) =>
  due === null ? {} : { dueAt: /^\d{4}-\d\d-\d\d$/.test(due) ? `${due}T00:00:00Z` : due }

const told = (tool: string, content: object): ToolResult => ({ tool, content: JSON.stringify(content) })
const refused = (tool: string, message: string): ToolResult => told(tool, { error: { code: 'not_done', message } })

const problemOf = ({ error }: Extract<Parsed<unknown>, { success: false }>): string =>
  error.issues
    .slice(0, 3)
    .map(({ path, message }) => `${path.join('.')} ${message}`.trim())
    .join('; ')
