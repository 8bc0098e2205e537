import type { Scopes } from '../../lib/access/scope.ts'
import type { RagTools } from '../../lib/rag/tools.ts'
import type { Records } from '../../lib/records/records.ts'
import type { Person } from '../../lib/records/viewer.ts'
import type { AgentName, ChatInput } from '../../lib/schemas/chat.ts'
import type { RagHit } from '../../lib/schemas/rag.ts'
import type { Found } from './hits.ts'
import { goalFound, snapshotFound, taskFound } from './tools/record-text.ts'

type Needs = {
  person: Person
  input: Pick<ChatInput, 'goalId' | 'taskId' | 'courseId'>
  rag: RagTools
  scopes: Pick<Scopes, 'forRun'>
  records: Pick<Records, 'goals' | 'tasks' | 'codeSnapshots'>
  /** the first passage of a document, where it says what it is about */
  beginningOf(documentId: string): Promise<string | undefined>
}

/** Finds what a question is likely to need, without being asked by a model. */
export type Prefetch = (agent: AgentName, query: string, call: Call) => Promise<Found[]>
type Call = { step: string; signal: AbortSignal }

const mostSearched = 6
const mostTasks = 20
const mostBeginnings = 2
const mostCourses = 2
/** What a course says about a question counts twice as much as what is said elsewhere. */
const courseShare = 2
const contextTokens = 3_000
/**
 * A passage that is neither near a question nor has a quarter of its words, by weight, is about something else and is
 * not given to a model. Low, because models differ in the cosines of what does not belong together.
 */
const leastRelevance = { nearness: 0.15, coverage: 0.25 }

/**
 * What the request refers to, whole, and then the best of what is found among the user's own, in the courses it is
 * about and in what everybody sees. All searches are for one text, which is embedded and paid for once.
 */
export function createPrefetch({ person, input, rag, scopes, records, beginningOf }: Needs): Prefetch {
  const { goals, tasks, codeSnapshots } = records

  async function referred(agent: AgentName, call: Call): Promise<Found[]> {
    const { taskId, goalId } = input
    if (taskId) {
      const code =
        agent === 'reviewer' ? await codeSnapshots.list(person, { taskId, userId: person.id, limit: 1 }) : undefined
      const scope = await scopes.forRun(person, { scope: 'user' })
      const context = await rag.get_task_context(
        scope,
        { taskId, scope: 'user', limit: 8, maxTokens: contextTokens },
        call
      )
      const whole = (code?.data ?? []).map(snapshotFound)
      return [...whole, ...context.hits.map(toFound).filter(({ sourceId }) => sourceId !== whole[0]?.sourceId)]
    }
    if (!goalId) return []
    const [goal, { data }] = [await goals.find(person, goalId), await tasks.list(person, { goalId, limit: mostTasks })]
    return [goalFound(goal), ...data.toSorted((a, b) => a.position - b.position).map(taskFound)]
  }

  /** Courses the request is about; else those of the goals the user works on. */
  async function courses(): Promise<string[]> {
    const goalId = input.goalId ?? (input.taskId ? (await tasks.find(person, input.taskId)).goalId : undefined)
    const named = [input.courseId, goalId ? (await goals.find(person, goalId)).courseId : undefined]
    const known = named.filter((id) => typeof id === 'string')
    if (known.length > 0) return [...new Set(known)]
    const { data } = await goals.list(person, { status: 'active', userId: person.id, limit: 10 })
    return [...new Set(data.flatMap(({ courseId }) => courseId ?? []))].slice(0, mostCourses)
  }

  async function searched(query: string, call: Call): Promise<Passage[]> {
    const wanted = [
      ...(await courses()).map((courseId) => ({ scope: 'course' as const, courseId })),
      { scope: 'user' as const },
      { scope: 'global' as const }
    ]
    const lists: { found: Passage[]; share: number }[] = []
    for (const where of wanted) {
      const scope = await scopes.forRun(person, where)
      const { hits } = await rag.search_knowledge_base(
        scope,
        { query, limit: mostSearched, ...where },
        { ...call, least: leastRelevance }
      )
      lists.push({ found: hits.map(toPassage), share: where.scope === 'course' ? courseShare : 1 })
    }
    return inTurn(lists)
  }

  return async (agent, query, call) => {
    const first = await referred(agent, call)
    const seen = new Set(first.map(keyOf))
    const rest = (await searched(query, call)).filter(({ found }) => !seen.has(keyOf(found))).slice(0, mostSearched)
    return [...first, ...(await withBeginnings(rest))]
  }

  /** The nearest pages that were found by a later part are told with their beginning: that is where things are defined. */
  async function withBeginnings(passages: Passage[]): Promise<Found[]> {
    const pages = passages.filter(({ found }) => found.sourceType === 'document').slice(0, mostBeginnings)
    return await Promise.all(
      passages.map(async (passage) => {
        const { found, chunk } = passage
        if (chunk === 0 || !pages.includes(passage)) return found
        const beginning = await beginningOf(found.sourceId)
        return beginning ? { ...found, content: `${beginning}\n\n…\n\n${found.content}` } : found
      })
    )
  }
}

/** What a search found, and which part of its record that is. */
type Passage = { found: Found; chunk: number }

const toPassage = (hit: RagHit): Passage => ({ found: toFound(hit), chunk: hit.chunk })

const toFound = ({ sourceType, sourceId, title, content, score }: RagHit): Found => ({
  sourceType,
  sourceId,
  title,
  content,
  score
})

const keyOf = ({ sourceType, sourceId }: Found) => `${sourceType} ${sourceId}`

/** The first of each list, as many as its share, then the next ones, every record once: scores of two searches do not compare. */
function inTurn(lists: { found: Passage[]; share: number }[]): Passage[] {
  const taken = new Map<string, Passage>()
  const rounds = Math.max(0, ...lists.map(({ found, share }) => Math.ceil(found.length / share)))
  for (let round = 0; round < rounds; round++) {
    for (const { found, share } of lists) {
      for (const one of found.slice(round * share, (round + 1) * share)) {
        if (!taken.has(keyOf(one.found))) taken.set(keyOf(one.found), one)
      }
    }
  }
  return [...taken.values()]
}
