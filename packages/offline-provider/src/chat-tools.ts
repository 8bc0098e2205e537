import type { ResponseFormat, Tool, ToolChoice } from './chat-types.ts'
import { isObject, type Json, requiredString } from './check.ts'
import { badRequest, invalidType, invalidValue, missingParameter } from './errors.ts'
import { strictProblem } from './strict-schema.ts'

const NAME = /^[a-zA-Z0-9_-]{1,64}$/

/** The functions a request offers, checked as the API does, strict schemas included. */
export function readTools(body: Json): Tool[] {
  const value = body['tools']
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw invalidType('tools', 'an array of objects', value)
  if (value.length === 0) {
    const message =
      "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead."
    throw badRequest(message, 'tools', 'empty_array')
  }
  if (value.length > 128) {
    const message = `Invalid 'tools': array too long. Expected an array with maximum length 128, but got an array with length ${value.length} instead.`
    throw badRequest(message, 'tools', 'array_above_max_length')
  }
  return value.map((tool, index) => readTool(tool, `tools[${index}]`))
}

function readTool(value: unknown, path: string): Tool {
  if (!isObject(value)) throw invalidType(path, 'an object', value)
  const type = requiredString(value, 'type', `${path}.type`)
  if (type !== 'function') throw invalidValue(`${path}.type`, type, ['function'])
  const declared = value['function']
  if (!isObject(declared)) throw missingParameter(`${path}.function`)
  const name = requiredString(declared, 'name', `${path}.function.name`)
  if (!NAME.test(name)) {
    const message = `Invalid '${path}.function.name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.`
    throw badRequest(message, `${path}.function.name`, 'invalid_value')
  }
  const parameters = declared['parameters'] ?? { type: 'object', properties: {} }
  if (!isObject(parameters)) throw invalidType(`${path}.function.parameters`, 'an object', parameters)
  const problem = declared['strict'] === true ? strictProblem(parameters) : undefined
  if (problem) {
    throw badRequest(
      `Invalid schema for function '${name}': ${problem}`,
      `${path}.function.parameters`,
      'invalid_function_parameters'
    )
  }
  const description = typeof declared['description'] === 'string' ? declared['description'] : ''
  return { name, description, parameters }
}

export function readToolChoice(body: Json, tools: readonly Tool[]): ToolChoice {
  const value = body['tool_choice']
  if (value === undefined || value === null) return { kind: tools.length > 0 ? 'auto' : 'none' }
  if (tools.length === 0)
    throw badRequest(
      "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.",
      'tool_choice'
    )
  if (typeof value === 'string') {
    if (value === 'none' || value === 'auto' || value === 'required') return { kind: value }
    throw invalidValue('tool_choice', value, ['none', 'auto', 'required'])
  }
  const called = isObject(value) ? value['function'] : undefined
  if (!isObject(called)) throw missingParameter('tool_choice.function')
  const name = requiredString(called, 'name', 'tool_choice.function.name')
  if (!tools.some((tool) => tool.name === name)) {
    throw badRequest(`Tool choice '${name}' not found in 'tools' parameter.`, 'tool_choice')
  }
  return { kind: 'named', name }
}

export function readResponseFormat(body: Json, texts: readonly string[]): ResponseFormat {
  const value = body['response_format']
  if (value === undefined || value === null) return { kind: 'text' }
  if (!isObject(value)) throw invalidType('response_format', 'an object', value)
  const type = requiredString(value, 'type', 'response_format.type')
  if (type === 'text') return { kind: 'text' }
  if (type === 'json_object') {
    if (texts.some((text) => /json/i.test(text))) return { kind: 'json_object' }
    const message =
      "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
    throw badRequest(message, 'messages')
  }
  if (type !== 'json_schema') throw invalidValue('response_format.type', type, ['json_object', 'json_schema', 'text'])
  return readJsonSchema(value['json_schema'])
}

function readJsonSchema(value: unknown): ResponseFormat {
  if (!isObject(value)) throw missingParameter('response_format.json_schema')
  const name = requiredString(value, 'name', 'response_format.json_schema.name')
  const schema = value['schema']
  if (!isObject(schema)) throw missingParameter('response_format.json_schema.schema')
  const problem = value['strict'] === true ? strictProblem(schema) : undefined
  if (problem) throw badRequest(`Invalid schema for response_format '${name}': ${problem}`, 'response_format')
  return { kind: 'json_schema', name, schema }
}
