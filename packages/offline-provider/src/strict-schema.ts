import { isObject, type Json } from './check.ts'

/**
 * What the API would refuse in a schema that is said to be strict: every object closed, every property required, an
 * object at the root (https://platform.openai.com/docs/guides/structured-outputs#supported-schemas).
 * @returns the problem in the API's words, or `undefined`
 */
export function strictProblem(schema: Json): string | undefined {
  if (schema['type'] !== 'object') {
    const got = typeof schema['type'] === 'string' ? schema['type'] : 'None'
    return `schema must be a JSON Schema of 'type: "object"', got 'type: "${got}"'.`
  }
  return problemIn(schema, [])
}

function problemIn(schema: Json, context: readonly string[]): string | undefined {
  const at = `In context=(${context.map((part) => `'${part}'`).join(', ')}${context.length === 1 ? ',' : ''})`
  if (schema['allOf'] !== undefined) return `${at}, 'allOf' is not permitted.`
  if (schema['oneOf'] !== undefined) return `${at}, 'oneOf' is not permitted.`
  const properties = schema['properties']
  if (schema['type'] === 'object' || isObject(properties)) {
    if (schema['additionalProperties'] !== false) {
      return `${at}, 'additionalProperties' is required to be supplied and to be false.`
    }
    const required = Array.isArray(schema['required']) ? schema['required'] : []
    const missing = Object.keys(isObject(properties) ? properties : {}).find((name) => !required.includes(name))
    if (missing !== undefined) {
      return `${at}, 'required' is required to be supplied and to be an array including every key in properties. Missing '${missing}'.`
    }
  }
  return problemBelow(schema, context)
}

function problemBelow(schema: Json, context: readonly string[]): string | undefined {
  for (const group of ['properties', '$defs', 'definitions']) {
    const members = schema[group]
    if (!isObject(members)) continue
    for (const [name, member] of Object.entries(members)) {
      const problem = isObject(member) ? problemIn(member, [...context, group, name]) : undefined
      if (problem) return problem
    }
  }
  const items = schema['items']
  if (isObject(items)) return problemIn(items, [...context, 'items'])
  const choices = schema['anyOf']
  if (!Array.isArray(choices)) return undefined
  for (const [index, choice] of choices.entries()) {
    const problem = isObject(choice) ? problemIn(choice, [...context, 'anyOf', String(index)]) : undefined
    if (problem) return problem
  }
  return undefined
}
