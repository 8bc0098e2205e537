import type { Tool } from './chat-types.ts'
import { isObject, type Json } from './check.ts'
import type { Conversation } from './conversation.ts'
import { generate, resolve, typesOf } from './json-schema.ts'
import { withoutPassages } from './passages.ts'

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi
const LANGUAGES = [
  'javascript',
  'typescript',
  'python',
  'java',
  'rust',
  'go',
  'ruby',
  'c#',
  'c++',
  'elixir',
  'haskell',
  'kotlin',
  'swift',
  'php',
  'sql'
]

/**
 * Arguments for a tool, valid for its schema: `given` first, then queries from what was asked, ids from the
 * conversation, a language and enum values that were named, and null, defaults or the smallest value elsewhere.
 * Ids that are not required are given when the user's own message has them, to tools that create or list, and, for a
 * course, with the scope of the course.
 * @returns JSON, or `undefined` when the schema requires an id that the conversation does not have
 */
export function buildArguments(tool: Tool, conversation: Conversation, given: Json = {}): string | undefined {
  if (missingId(tool, conversation, given)) return undefined
  const likeId = similarTo(tool, conversation)
  const made = generate(tool.parameters, (path, schema) => {
    const name = path.at(-1)
    if (name === undefined) return undefined
    if (path.length === 1 && name in given) return given[name] ?? undefined
    if (likeId && QUERY.test(name)) return undefined
    if (isIdName(name, schema)) return name === likeId ? idFor(name, conversation) : idOffer(name, tool, conversation)
    return valueFor(name, schema, tool, conversation)
  })
  return JSON.stringify(made)
}

const QUERY = /^(?:query|question|q|search|input|text|message)$/i

/** A tool that finds records like one of them takes either a query or the record's id: the id, when it is known. */
function similarTo(tool: Tool, conversation: Conversation): string | undefined {
  if (!/similar/i.test(tool.name)) return undefined
  const own = Object.keys(propertiesOf(tool)).find((name) => {
    const noun = /^(goal|task|code|document)\w*Id$/.exec(name)?.[1]
    return noun !== undefined && tool.name.toLowerCase().includes(noun)
  })
  return own !== undefined && idFor(own, conversation) !== undefined ? own : undefined
}

function idOffer(name: string, tool: Tool, conversation: Conversation): string | undefined {
  const id = idFor(name, conversation)
  if (id === undefined || (requiredOf(tool).includes(name) && !nullable(propertiesOf(tool)[name]))) return id
  if (conversation.said.includes(id)) return id
  if (/^course/i.test(name) && 'scope' in propertiesOf(tool)) return scopeIsCourse(tool, conversation) ? id : undefined
  return /^(?:create|add|list)/i.test(tool.name) ? id : undefined
}

function scopeIsCourse(tool: Tool, conversation: Conversation): boolean {
  const scope = propertiesOf(tool)['scope']
  const options = isObject(scope) ? optionsOf(scope) : undefined
  return options !== undefined && scopeFor(options, conversation) === 'course'
}

function valueFor(name: string, schema: Json, tool: Tool, conversation: Conversation): unknown {
  const options = optionsOf(schema)
  if (options && name === 'scope') return scopeFor(options, conversation)
  if (options) return namedOption(options, conversation.asked)
  if (!kindsOf(schema).includes('string')) return undefined
  if (QUERY.test(name)) return queryFrom(tool, conversation)
  return /^language$/i.test(name) ? languageIn(conversation.asked) : undefined
}

const propertiesOf = ({ parameters }: Tool): Json =>
  isObject(parameters['properties']) ? parameters['properties'] : {}
const requiredOf = ({ parameters }: Tool): unknown[] =>
  Array.isArray(parameters['required']) ? parameters['required'] : []
const nullable = (schema: unknown): boolean => isObject(schema) && kindsOf(schema).includes('null')

/** The scope that was named, else the course's when a course is known, else what the schema prefers. */
function scopeFor(options: readonly unknown[], conversation: Conversation): unknown {
  const named = namedOption(options, conversation.asked.replace(/\bcourse\b/gi, ' '))
  if (named !== undefined) return named
  return options.includes('course') && idFor('courseId', conversation) !== undefined ? 'course' : undefined
}

/** The question without code, at most 400 characters; tools that look for code get the code of the message. */
function queryFrom({ name }: Tool, { asked, lastUser }: Conversation): string {
  const code = /code/i.test(name) ? firstBlock(lastUser) : undefined
  if (code?.trim()) return code.trim().slice(0, 1_000)
  const text = (asked || lastUser).replace(/\s+/g, ' ').trim()
  return text.length <= 400 ? text : text.slice(0, text.lastIndexOf(' ', 400) > 0 ? text.lastIndexOf(' ', 400) : 400)
}

/** What stands in the first fenced block. */
function firstBlock(text: string): string | undefined {
  const open = text.indexOf('```')
  const start = open < 0 ? 0 : text.indexOf('\n', open) + 1
  return start === 0 ? undefined : text.slice(start).split('```', 1)[0]
}

function languageIn(asked: string): string | undefined {
  const words = asked.toLowerCase().split(/[^a-z+#]+/)
  return LANGUAGES.find((language) => words.includes(language))
}

function namedOption(options: readonly unknown[], asked: string): unknown {
  const text = asked.toLowerCase()
  return options.find(
    (option) =>
      typeof option === 'string' &&
      new RegExp(`\\b${option.toLowerCase().replace(/[^a-z0-9]+/g, '[ _-]')}s?\\b`).test(text)
  )
}

function isIdName(name: string, schema: Json): boolean {
  return /(?:Id|_id)$|^id$/.test(name) || schema['format'] === 'uuid' || nestedUuid(schema)
}

function nestedUuid(schema: Json): boolean {
  const choices = schema['anyOf']
  return Array.isArray(choices) && choices.some((choice) => isObject(choice) && choice['format'] === 'uuid')
}

function missingId(tool: Tool, conversation: Conversation, given: Json): boolean {
  const root = resolve(tool.parameters, tool.parameters)
  const properties = isObject(root['properties']) ? root['properties'] : {}
  const required = Array.isArray(root['required']) ? root['required'] : []
  return Object.entries(properties).some(([name, declared]) => {
    if (!isObject(declared) || !required.includes(name) || name in given) return false
    const schema = resolve(declared, root)
    return isIdName(name, schema) && !kindsOf(schema).includes('null') && idFor(name, conversation) === undefined
  })
}

/**
 * The id for a parameter such as `courseId`: the UUID that stands behind the record's name ("course 0198…",
 * `"courseId": "0198…"`), the latest first. Passages and what retrieving tools found are not asked: whoever wrote
 * them must not choose the records that tools work on.
 */
export function idFor(name: string, { call, used }: Conversation): string | undefined {
  const spoken = call.messages.filter(({ role }) => role !== 'tool').map(({ text }) => withoutPassages(text))
  const noun = name.replace(/(?:_id|Id)$/, '').replace(/([a-z])([A-Z])/g, '$1[ _-]?$2')
  if (noun === '' || noun === 'id') return lastUuid(call.messages.findLast(({ role }) => role === 'user')?.text ?? '')
  const results = used.filter((use) => /^(?:create|add|list)/i.test(use.call.name)).map(({ result }) => result)
  const near = new RegExp(`${noun}[^\\n]{0,60}?(${UUID.source})`, 'gi')
  for (const text of [...spoken, ...results].toReversed()) {
    const found = [...text.matchAll(near)].at(-1)?.[1]
    if (found) return found
  }
  return undefined
}

const lastUuid = (text: string) => [...text.matchAll(UUID)].at(-1)?.[0]

function kindsOf(schema: Json): string[] {
  const choices = schema['anyOf'] ?? schema['oneOf']
  return Array.isArray(choices) ? choices.filter(isObject).flatMap(kindsOf) : typesOf(schema)
}

function optionsOf(schema: Json): unknown[] | undefined {
  if (Array.isArray(schema['enum'])) return schema['enum']
  const choices = schema['anyOf']
  return Array.isArray(choices)
    ? choices
        .filter(isObject)
        .map(optionsOf)
        .find((options) => options !== undefined)
    : undefined
}
