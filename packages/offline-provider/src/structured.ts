import { asksForChanges } from '@goals/text'
import type { Conversation } from './conversation.ts'
import { isObject, type Json } from './check.ts'
import { quoteAnswer, summarize } from './extract.ts'
import { type Fill, generate, resolve, typesOf } from './json-schema.ts'
import { planTasks } from './plan.ts'
import { planRequest } from './request-plan.ts'
import { reviewMessage } from './review.ts'
import { chooseRoute } from './route.ts'
import { plainAnswer } from './plain-answer.ts'
import { goalTitleOf, tidyTitle, titleOfTopic, topicOf } from './titles.ts'
import { isSpanish } from './words.ts'

/**
 * JSON that is valid for the schema. Known shapes are filled by rules of their own: a review (`verdict` and `issues`),
 * a request (`reads`, `creations`, `changes`), a route (an enum called `agent`, `route` or `next`), a plan (arrays
 * `tasks` and `goals`); anything else extractively by the names of its properties.
 */
export function structuredAnswer(schema: Json, conversation: Conversation): string {
  return JSON.stringify(generate(schema, fillFrom(schema, conversation), true))
}

function fillFrom(root: Json, conversation: Conversation): Fill {
  const properties = propertiesOf(resolve(root, root))
  const whole = wholeShape(properties, conversation)
  return (path, schema) => {
    if (path.length === 0) return whole
    const name = path.at(-1) ?? ''
    const options = schema['enum']
    if (Array.isArray(options)) return fromOptions(name, options, conversation)
    if (name === 'tasks' && typesOf(schema).includes('array')) return tasksFor(schema, conversation)
    if (name === 'goals' && typesOf(schema).includes('array')) {
      return [{ title: goalTitleFor(conversation), description: tidyTitle(conversation.asked) }]
    }
    if (typesOf(schema).includes('array') && name === 'citations')
      return conversation.passages.slice(0, 4).map(({ n }) => n)
    if (typesOf(schema)[0] === 'string') return textFor(name, conversation)
    return undefined
  }
}

/** A review, or what a message asks to be done: shapes that are made as a whole. */
function wholeShape(properties: Json, conversation: Conversation): object | undefined {
  if ('verdict' in properties && 'issues' in properties) return reviewMessage(conversation.withCode)
  return 'reads' in properties ? planRequest(conversation) : undefined
}

/** What the message names, else what the conversation was about before it. */
function goalTitleFor({ asked, call }: Conversation): string {
  const before = call.messages.filter(({ role, text }) => role === 'user' && text.length < 4_000).slice(0, -1)
  const earlier = before
    .toReversed()
    .map(({ text }) => titleOfTopic(text))
    .find(Boolean)
  return goalTitleOf(asked) || earlier || (isSpanish(asked) ? 'Mi plan' : 'My plan')
}

function propertiesOf(schema: Json): Json {
  return isObject(schema['properties']) ? schema['properties'] : {}
}

function fromOptions(name: string, options: readonly unknown[], conversation: Conversation): unknown {
  const choices = options.filter((option) => typeof option === 'string')
  if (choices.length === 0) return undefined
  if (/^(?:agent|route|next|intent|specialist)$/i.test(name)) return chooseRoute(choices, conversation)
  if (choices.includes('requested') && choices.includes('not_requested')) {
    return asksForChanges(conversation.asked) ? 'requested' : 'not_requested'
  }
  const text = ` ${conversation.asked.toLowerCase()} `
  return choices.find((choice) => text.includes(choice.toLowerCase().replaceAll('_', ' ')))
}

function tasksFor(schema: Json, conversation: Conversation): unknown[] {
  const items = isObject(schema['items']) ? schema['items'] : {}
  const tasks = planTasks(conversation)
  return typesOf(items).includes('string') ? tasks.map(({ title }) => title) : tasks
}

function textFor(name: string, conversation: Conversation): string {
  const { asked, passages } = conversation
  if (/title|name|topic|subject|goal/i.test(name)) return tidyTitle(topicOf(asked))
  if (/query|question|search/i.test(name)) return asked.slice(0, 400)
  if (/summary/i.test(name))
    return summarize(passages.map(({ content }) => content).join('\n\n') || asked, 2, 400) || asked.slice(0, 200)
  if (/answer|text|content|response|message|reply/i.test(name)) return plainAnswer(conversation)
  return quoteAnswer(asked, passages) ?? summarize(asked, 1, 200) ?? ''
}
