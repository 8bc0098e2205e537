import { matchTitle, namesNothing, speaksOf, wordTitles } from '@goals/text'
import { newId } from '../../lib/ids.ts'
import type { Access } from '../../lib/records/access.ts'
import type { Person } from '../../lib/records/viewer.ts'
import type { ChangeableType, ChatInput } from '../../lib/schemas/chat.ts'
import { type GoalCreate, goalCreateSchema, goalPatchSchema } from '../../lib/schemas/goal.ts'
import { type TaskCreate, taskCreateSchema, taskPatchSchema } from '../../lib/schemas/task.ts'
import { type Plan, type PlannedChange, type PlannedCreation, typesOf } from './plan.ts'
import type { Proposals, RecordText } from './proposals.ts'
import type { Reference, Referred, References, Unclear } from './references.ts'
import type { Outcome, Refusal } from './report.ts'
import type { ToolResult } from './state.ts'
import type { StagedWrite } from './writes.ts'

/** Records that one answer creates and changes. */
const mostWrites = 50
const saved = 'will be saved together with this answer'

type Settled = { staged: StagedWrite[]; results: ToolResult[]; outcomes: Outcome[] }
type GoalFor = { ok: true; id: string; title: string } | { ok: false; message: string; unclear?: Unclear }
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
  input: Pick<ChatInput, 'courseId' | 'message'>
  references: References
  access: Pick<Access, 'visibleCourse'>
}): Promise<Settled> {
  const staged: StagedWrite[] = []
  const results: ToolResult[] = []
  const outcomes: Outcome[] = []
  const texts = { goal: [...proposals.goal], task: [...proposals.task] }
  const types = typesOf(plan.agent)
  /** goals that this run creates; one that got its title from the material is not found by it */
  const created: { id: string; title: string; shown: string }[] = []
  const newTitles = plan.creations.flatMap(({ titles }) => titles)

  for (const creation of inOrder(plan.creations)) await settleCreation(creation)
  for (const change of plan.changes) await settleChange(change)
  return { staged, results, outcomes }

  function refuse(tool: Tool, names: string[], why: Refusal | { problem: string }): void {
    const type = tool.endsWith('goal') ? 'goal' : 'task'
    results.push(refused(tool, typeof why === 'string' ? reasons[why](type) : why.problem))
    outcomes.push({ kind: 'refused', type, names, why })
  }

  function ask(tool: Tool, names: string[], { message, unclear }: { message: string; unclear?: Unclear }): void {
    if (!unclear) return refuse(tool, names, { problem: message })
    results.push(refused(tool, message))
    outcomes.push({ kind: 'unclear', unclear })
  }

  async function settleCreation(creation: PlannedCreation): Promise<void> {
    const { type } = creation
    const tool = `create_${type}` as const
    if (!types.includes(type)) return refuse(tool, creation.titles, 'not-this-agent')
    const own: RecordText[] = creation.titles.map((title) => ({ title, description: creation.description }))
    const written = texts[type].splice(0, Math.max(0, Math.floor(creation.toWrite)))
    if (own.length + written.length === 0) return refuse(tool, [], 'no-text')
    const goal = type === 'task' ? await goalFor(creation.goal, newTitles) : undefined
    if (goal && !goal.ok) return ask(tool, creation.titles, goal)
    const made: { id: string; title: string; status: string }[] = []
    const problems: string[] = []
    for (const [at, { title, description }] of [...own, ...written].entries()) {
      const fields = {
        title,
        ...(description === null ? {} : { description }),
        ...(creation.status === null ? {} : { status: creation.status }),
        ...dueOf(creation.due)
      }
      if (staged.length >= mostWrites) problems.push(reasons['too-many'](type))
      else if (goal) stage(taskCreateSchema.safeParse({ ...fields, goalId: goal.id }))
      else {
        const id = stage(goalCreateSchema.safeParse({ ...fields, ...(await courseAtHand()) }))
        if (id !== undefined) created.push({ id, title: at < own.length ? title : '', shown: title })
      }
    }
    const leftOut = [...new Set(problems)]
    if (made.length === 0) return refuse(tool, creation.titles, { problem: problems[0] ?? 'nothing was given' })
    outcomes.push({ kind: 'created', type, titles: made.map(({ title }) => title), goal: goal?.title ?? null, leftOut })
    results.push(told(tool, { [`${type}s`]: made, state: saved, ...(leftOut.length > 0 ? { left_out: leftOut } : {}) }))

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

  async function settleChange(change: PlannedChange): Promise<void> {
    const { type } = change
    const tool = `update_${type}` as const
    const names = change.record === null ? [] : [change.record]
    if (!types.includes(type)) return refuse(tool, names, 'not-this-agent')
    const found = await recordFor(change, type)
    if (found.ok) return await settleOne(change, type, found.record)
    const other = await ofTheOtherType(change)
    if (other) return await settleOne(change, other.type, other.record)
    const parts = await severalIn(change)
    if (parts.length === 0) return ask(tool, names, found)
    for (const part of parts) {
      if (part.ok) await settleOne(change, type, part.record)
      else ask(tool, names, part)
    }
  }

  function givenIn({ title, description, goal }: PlannedChange): string[] {
    return [title, description, goal, ...newTitles].filter((text) => text !== null)
  }

  async function recordFor(change: PlannedChange, type: ChangeableType): Promise<Reference> {
    return await references.named({ type, id: change.id, said: change.record, given: givenIn(change) })
  }

  /** "Rename Learn cooking to Cook" says nothing of goals and tasks: then it may be either. */
  async function ofTheOtherType(change: PlannedChange) {
    const type = change.type === 'goal' ? 'task' : 'goal'
    if (!types.includes(type) || change.record === null || speaksOf(change.type, input.message)) return undefined
    const found = await recordFor(change, type)
    return found.ok ? { type: type as ChangeableType, record: found.record } : undefined
  }

  /** "Leap and Zipper" is no title of theirs: each of them may be one. */
  async function severalIn(change: PlannedChange): Promise<Reference[]> {
    const { record, title, description, id } = change
    if (record === null || title !== null || description !== null || id !== null) return []
    const parts = record.split(/ ?[,;&] ?(?:and |y |und )?| (?:and|y|e|und) /i).filter((part) => !namesNothing(part))
    if (parts.length < 2) return []
    const found: Reference[] = []
    for (const part of parts.slice(0, mostWrites)) {
      found.push(await references.named({ type: change.type, said: part, given: givenIn(change) }))
    }
    return found.some(({ ok }) => ok) ? found : []
  }

  async function settleOne(change: PlannedChange, type: ChangeableType, record: Referred): Promise<void> {
    const { title, description, status } = change
    const tool = `update_${type}` as const
    const names = [record.title]
    if (staged.length >= mostWrites) return refuse(tool, names, 'too-many')
    if (record.userId !== person.id) return refuse(tool, [], 'foreign')
    const moved = type === 'task' && change.goal !== null ? await goalFor(change.goal, [record.title]) : undefined
    if (moved && !moved.ok) return ask(tool, names, moved)
    const patch = {
      ...(title === null ? {} : { title }),
      ...(description === null ? {} : { description }),
      ...(status === null ? {} : { status }),
      ...dueOf(change.due),
      ...(moved ? { goalId: moved.id } : {})
    }
    if (Object.keys(patch).length === 0) return refuse(tool, names, 'no-change')
    const parsed = type === 'goal' ? goalPatchSchema.safeParse(patch) : taskPatchSchema.safeParse(patch)
    if (!parsed.success) return refuse(tool, names, { problem: problemOf(parsed) })
    const { title: name, status: state, dueAt } = parsed.data
    staged.push({ id: record.id, op: tool, input: parsed.data } as StagedWrite)
    results.push(told(tool, { [type]: { id: record.id, title: record.title, ...parsed.data }, state: saved }))
    outcomes.push({
      kind: 'changed',
      type,
      title: record.title,
      to: {
        title: name === record.title && Object.keys(patch).length > 1 ? undefined : name,
        status: state,
        due: dueAt ?? undefined,
        goal: moved?.title,
        description: description !== null
      }
    })
  }

  /** The goal of a task: one that this run creates, the one at hand, or the one that is named. */
  async function goalFor(said: string | null, given: string[]): Promise<GoalFor> {
    if (said === null || namesNothing(said)) {
      const last = created.at(-1)
      if (last) return { ok: true, id: last.id, title: last.shown }
      if (plan.creations.some(({ type }) => type === 'goal')) return { ok: false, message: reasons['no-goal']('goal') }
    }
    const match = said === null ? undefined : matchTitle(said, wordTitles(created))
    if (match?.kind === 'one') return { ok: true, id: match.record.id, title: match.record.shown }
    const found = await references.named({ type: 'goal', said, given, lenient: true })
    if (!found.ok) return found
    if (found.record.userId !== person.id) return { ok: false, message: 'it is no goal of theirs' }
    return { ok: true, id: found.record.id, title: found.record.title }
  }

  /** A goal that is created while a course is looked at belongs to it. */
  async function courseAtHand(): Promise<{ courseId?: string }> {
    const { courseId } = input
    return courseId !== undefined && (await access.visibleCourse(person, courseId)) ? { courseId } : {}
  }
}

type Tool = `${'create' | 'update'}_${ChangeableType}`

/** Tasks may belong to a goal that the same message creates: then it comes first, wherever it stands in the plan. */
function inOrder(creations: PlannedCreation[]): PlannedCreation[] {
  const goals = creations.filter(({ type }) => type === 'goal')
  const titles = wordTitles(goals.flatMap((goal) => goal.titles.map((title) => ({ title }))))
  const needsOne = ({ type, goal }: PlannedCreation) =>
    type === 'task' && (goal === null || namesNothing(goal) || matchTitle(goal, titles).kind === 'one')
  if (goals.length === 0 || !creations.some(needsOne)) return creations
  return [...goals, ...creations.filter(({ type }) => type !== 'goal')]
}

/** What whoever answers is told of why something was not done. */
const reasons: Record<Refusal, (type: ChangeableType) => string> = {
  'not-this-agent': (type) => `this agent creates and changes no ${type}s`,
  foreign: (type) => `it is no ${type} of theirs`,
  'too-many': () => `at most ${mostWrites} changes in one answer`,
  'no-text': () => 'no text for it could be made',
  'no-change': () => 'the message has to say what it is to be changed to',
  'no-goal': () => 'the goal that it was to belong to could not be created'
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
