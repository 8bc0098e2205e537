import { commandsIn, isGreeting, matchTitle, namesNothing, wordTitles } from '@goals/text'
import type { Tool } from './chat-types.ts'
import { isObject, type Json } from './check.ts'
import type { Conversation } from './conversation.ts'
import { wordsOf } from './features.ts'
import { typesOf } from './json-schema.ts'
import { parseJson } from './passages.ts'
import { type PlannedTask, planTasks } from './plan.ts'
import { likeness, sketch } from './sketch.ts'
import { planRequest } from './request-plan.ts'
import { goalTitleOf, taskCountIn, tidyTitle } from './titles.ts'
import { buildArguments, idFor } from './tool-arguments.ts'
import { isFunctionWord } from './words.ts'

export type PlannedCall = { name: string; arguments: string }

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/i
const RETRIEVAL = /search|knowledge|retriev|similar|documentation|context/i
const MOST_CALLS = 10

/**
 * Which tools the offline model calls, by the rules of docs/offline-provider.md; none means it answers.
 * Looks only at what the user said, never at what passages or tool results say.
 */
export function decideTools(conversation: Conversation): PlannedCall[] {
  const { call } = conversation
  const { toolChoice } = call
  if (toolChoice.kind === 'none' || call.tools.length === 0) return []
  if (toolChoice.kind === 'named')
    return forced(
      call.tools.filter((tool) => tool.name === toolChoice.name),
      conversation
    )
  const calls =
    writing(conversation) ?? changing(conversation) ?? listing(conversation) ?? retrieving(conversation) ?? []
  if (calls.length === 0 && toolChoice.kind === 'required') return forced(call.tools, conversation)
  return calls.slice(0, call.parallelToolCalls ? MOST_CALLS : 1)
}

/** A call must be made: the offered tool whose name and description are nearest to what was asked. */
function forced(tools: readonly Tool[], conversation: Conversation): PlannedCall[] {
  const asked = sketch(conversation.asked)
  const ranked = tools
    .map((tool) => ({ tool, score: likeness(asked, sketch(`${tool.name} ${tool.description}`)) }))
    .toSorted((a, b) => b.score - a.score)
  for (const { tool } of ranked) {
    const [made] = /^(?:create|add)/i.test(tool.name) ? creations(tool, conversation) : callOf(tool, conversation)
    if (made) return [made]
  }
  const first = ranked[0]?.tool
  return first ? [{ name: first.name, arguments: '{}' }] : []
}

function callOf(tool: Tool, conversation: Conversation, given: Json = {}): PlannedCall[] {
  const made = buildArguments(tool, conversation, given)
  return made === undefined ? [] : [{ name: tool.name, arguments: made }]
}

/** "Create a goal …", "add these tasks …", "make a plan and save it": `create_*` tools, goals before their tasks. */
function writing(conversation: Conversation): PlannedCall[] | undefined {
  const { createGoal, createTasks } = commandsIn(conversation.asked)
  for (const [noun, wanted] of [
    ['goal', createGoal],
    ['task', createTasks]
  ] as const) {
    const tool = conversation.call.tools.find(
      ({ name }) => /^(?:create|add)/i.test(name) && name.toLowerCase().includes(noun)
    )
    const calls = tool && wanted ? creations(tool, conversation) : []
    if (calls.length > 0) return calls
  }
  return undefined
}

/** The calls that are still to be made to a `create_*` tool: each title once in a turn. */
function creations(tool: Tool, conversation: Conversation): PlannedCall[] {
  const noun = /goal/i.test(tool.name) ? 'goal' : 'task'
  const mine = conversation.used.filter(({ call }) => call.name === tool.name)
  const list = arrayParameter(tool)
  if (list && mine.length > 0) return []
  const made = new Set(mine.map(({ call }) => titleOf(parseJson(call.arguments))))
  const wanted = (noun === 'goal' ? [goalOf(conversation)] : tasksOf(conversation)).filter(
    ({ title }) => !made.has(title)
  )
  if (wanted.length === 0) return []
  const ids = parentIds(tool, conversation)
  if (ids === undefined) return looksUp('goal', conversation) ?? []
  if (list) return callOf(tool, conversation, { ...ids, [list]: wanted })
  return wanted.flatMap((task) => callOf(tool, conversation, { ...ids, ...task }))
}

function goalOf({ asked }: Conversation): PlannedTask {
  return { title: goalTitleOf(asked), description: tidyTitle(asked) }
}

function tasksOf(conversation: Conversation): PlannedTask[] {
  const asked = planRequest(conversation).creations.filter(({ type }) => type === 'task')
  const titles = asked.flatMap((creation) => creation.titles)
  if (titles.length > 0) return titles.map((title) => ({ title, description: `${title}.` }))
  const count = taskCountIn(conversation.asked)
  const planned = planTasks(conversation)
  return count === undefined ? planned : planned.slice(0, count)
}

/**
 * The goal a task belongs to: one made in this turn, the one that is named, or else one the conversation has the id of.
 * @returns `undefined` when one is named that is not known yet
 */
function parentIds(tool: Tool, conversation: Conversation): Json | undefined {
  const properties = isObject(tool.parameters['properties']) ? tool.parameters['properties'] : {}
  const name = ['goalId', 'goal_id'].find((candidate) => candidate in properties)
  if (!name) return {}
  const made = conversation.used.find(({ call }) => /^(?:create|add).*goal/i.test(call.name))
  const named = planRequest(conversation).creations.find(({ goal }) => goal !== null)?.goal
  const lists = conversation.call.tools.some((one) => /^list/i.test(one.name) && /goal/i.test(one.name))
  const isTitle = named !== undefined && named !== null && !namesNothing(named) && !UUID.test(named)
  const known = isTitle ? idOf(named, listedRows(conversation)) : undefined
  if (!made && isTitle && known === undefined && lists) return undefined
  const id = (made && idIn(parseJson(made.result))) ?? known ?? idFor(name, conversation)
  return id === undefined ? {} : { [name]: id }
}

type Row = { id: string; title: string }

/** Records that tools listed in this turn. */
function listedRows({ used }: Conversation): Row[] {
  const rows = (value: unknown): Row[] => {
    if (Array.isArray(value)) return value.slice(0, 200).flatMap(rows)
    if (!isObject(value)) return []
    const { id, title } = value
    if (typeof id === 'string' && typeof title === 'string') return [{ id, title }]
    return Object.values(value)
      .filter((member) => typeof member === 'object')
      .flatMap(rows)
  }
  return used
    .filter(({ call }) => /^(?:list|get|show|read|find|search)/i.test(call.name))
    .flatMap(({ result }) => rows(parseJson(result)))
}

/** The id of the one record that is called so. */
function idOf(name: string, rows: Row[]): string | undefined {
  const unique = rows.filter(({ id }, at) => rows.findIndex((other) => other.id === id) === at)
  const match = matchTitle(name, wordTitles(unique))
  return match.kind === 'one' ? match.record.id : undefined
}

function idIn(value: unknown): string | undefined {
  if (!isObject(value)) return undefined
  if (typeof value['id'] === 'string') return value['id']
  return Object.values(value)
    .map((member) => (isObject(member) ? member['id'] : undefined))
    .find((id) => typeof id === 'string')
}

function titleOf(value: unknown): string {
  return isObject(value) && typeof value['title'] === 'string' ? value['title'] : ''
}

function arrayParameter(tool: Tool): string | undefined {
  const properties = isObject(tool.parameters['properties']) ? tool.parameters['properties'] : {}
  return Object.entries(properties).find(
    ([name, schema]) => /tasks|goals|items/i.test(name) && isObject(schema) && typesOf(schema).includes('array')
  )?.[0]
}

/**
 * "Mark task 0198… as completed": `update_*` and `complete_*` tools. The record is the one that is named: by its id, or by
 * its title among those that tools listed, which are asked for first. Only where no name is said it is the one at hand.
 */
function changing(conversation: Conversation): PlannedCall[] | undefined {
  const { call, used } = conversation
  const [change] = planRequest(conversation).changes
  if (!change) return undefined
  const noun = change.type
  const tool = call.tools.find(
    ({ name }) => /^(?:update|change|complete|set|mark)/i.test(name) && name.toLowerCase().includes(noun)
  )
  if (!tool || used.some((use) => use.call.name === tool.name)) return undefined
  const properties = isObject(tool.parameters['properties']) ? tool.parameters['properties'] : {}
  const idName = ['id', `${noun}Id`, `${noun}_id`].find((candidate) => candidate in properties)
  const id = idName && namedId(change.record, noun, conversation)
  if (!idName) return undefined
  if (!id) return change.record === null || namesNothing(change.record) ? undefined : looksUp(noun, conversation)
  const { title, status, due } = change
  const calls = callOf(tool, conversation, {
    [idName]: id,
    ...(title ? { title } : {}),
    ...(status ? { status } : {}),
    ...(due && 'dueAt' in properties ? { dueAt: `${due}T00:00:00Z` } : {})
  })
  return calls.length > 0 ? calls : undefined
}

function namedId(record: string | null, noun: 'goal' | 'task', conversation: Conversation): string | undefined {
  const spoken = record === null ? undefined : UUID.exec(record)?.[0]
  if (spoken !== undefined) return spoken
  if (record !== null && !namesNothing(record)) return idOf(record, listedRows(conversation))
  return idFor(`${noun}Id`, conversation) ?? idFor('id', conversation)
}

/** The list among which a name is looked for, once. */
function looksUp(noun: 'goal' | 'task', conversation: Conversation): PlannedCall[] | undefined {
  const { call, used } = conversation
  const tool = call.tools.find(({ name }) => /^list/i.test(name) && name.toLowerCase().includes(noun))
  return tool && !used.some((use) => use.call.name === tool.name) ? callOf(tool, conversation) : undefined
}

/** "What are my tasks?", "which goals do I have", "what is next": tools that list or get goals and tasks. */
function listing(conversation: Conversation): PlannedCall[] | undefined {
  const { asked, call, used } = conversation
  const noun = /\b(?:my|which|what|list|show|open|all)\b[^.!?]{0,40}\bgoals?\b/i.test(asked)
    ? 'goal'
    : /\b(?:my|which|what|list|show|open|all)\b[^.!?]{0,40}\btasks?\b|\bwhat (?:is|comes|should I do) next\b|\bmy progress\b/i.test(
          asked
        )
      ? 'task'
      : undefined
  const tool =
    noun &&
    call.tools.find(
      ({ name }) =>
        /^(?:list|get|show|read|find)/i.test(name) && !RETRIEVAL.test(name) && name.toLowerCase().includes(noun)
    )
  if (!tool || used.length > 0) return undefined
  const calls = callOf(tool, conversation)
  return calls.length > 0 ? calls : undefined
}

/**
 * Nothing was retrieved in this turn and no passages are at hand: the retrieving tool that fits best, once; and once
 * more with scope `global` when it found nothing.
 */
function retrieving(conversation: Conversation): PlannedCall[] | undefined {
  const { asked, call, used, passages, lastUser } = conversation
  if (passages.length > 0 || !saysSomething(asked || lastUser)) return undefined
  if (used.length > 0) return wider(conversation)
  const tools = call.tools
    .filter(({ name }) => RETRIEVAL.test(name))
    .toSorted((a, b) => suits(b, conversation) - suits(a, conversation))
  for (const tool of tools) {
    const calls = callOf(tool, conversation)
    if (calls.length > 0) return calls
  }
  return undefined
}

function wider(conversation: Conversation): PlannedCall[] | undefined {
  const [only, ...others] = conversation.used
  if (!only || others.length > 0 || !RETRIEVAL.test(only.call.name)) return undefined
  const tool = conversation.call.tools.find(({ name }) => name === only.call.name)
  const given = parseJson(only.call.arguments)
  const properties = tool && isObject(tool.parameters['properties']) ? tool.parameters['properties'] : {}
  if (!tool || !isObject(given) || !('scope' in properties) || given['scope'] === 'global') return undefined
  const calls = callOf(tool, conversation, { ...given, courseId: null, scope: 'global' })
  return calls[0] && calls[0].arguments !== only.call.arguments ? calls : undefined
}

/** How well a retrieving tool suits: by the records it and the user speak of; a general search suits always. */
function suits({ name }: Tool, { asked, lastUser }: Conversation): number {
  if (/knowledge|search/i.test(name)) return 1
  if (/goal/i.test(name)) return /\bgoals?\b/i.test(asked) ? 2 : 0
  if (/code|snapshot/i.test(name))
    return /\bsimilar\b[^.?!]{0,200}\b(?:code|solution)|\bother solutions?\b/i.test(asked)
      ? 2
      : lastUser.includes('```')
        ? 0.5
        : 0
  if (/documentation|course/i.test(name)) return /\bcourse|documentation|docs\b/i.test(asked) ? 2 : 0.6
  if (/context|task/i.test(name)) return /\b(?:this|my|the) (?:task|exercise)\b/i.test(asked) ? 2 : 0.4
  return 0.5
}

/** Greetings and thanks need no passages. */
function saysSomething(asked: string): boolean {
  return !isGreeting(asked) && wordsOf(asked).some(({ surface }) => !isFunctionWord(surface))
}
