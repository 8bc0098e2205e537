import { isObject, type Json } from './check.ts'

/**
 * Offers a value for a place in a schema: `path` are the property names down to it. `undefined` leaves it to the
 * generator; whatever is offered is made to fit the schema.
 */
export type Fill = (path: readonly string[], schema: Json) => unknown

type Walk = { root: Json; fill: Fill; optional: boolean }

const MAX_DEPTH = 12

/**
 * A value that is valid for a JSON schema: `$ref`, `anyOf`/`oneOf`, `allOf`, `const`, `enum`, objects, arrays,
 * strings with formats and lengths, numbers with ranges. Optional properties appear when `fill` offers a value
 * for them, or all of them with `optional`.
 */
export function generate(schema: Json, fill: Fill, optional = false): unknown {
  return value(schema, [], { root: schema, fill, optional })
}

function value(declared: Json, path: readonly string[], walk: Walk): unknown {
  const schema = resolve(declared, walk.root)
  if ('const' in schema) return schema['const']
  const offered = walk.fill(path, schema)
  if (offered !== undefined) {
    const fitted = fit(offered, schema, path, walk)
    if (fitted !== undefined) return fitted
  }
  const options = schema['enum']
  if (Array.isArray(options)) return 'default' in schema ? schema['default'] : options[0]
  const choices = choicesOf(schema)
  if (choices) return value(preferred(choices, path, walk), path, walk)
  if ('default' in schema) return schema['default']
  return ofType(schema, path, walk)
}

/** Nothing is known to say here: null where null is allowed, else the first choice. */
function preferred(choices: readonly Json[], path: readonly string[], walk: Walk): Json {
  const nullable = choices.find((choice) => typesOf(resolve(choice, walk.root)).includes('null'))
  if (nullable && path.length > 0) return nullable
  return choices[0] ?? {}
}

function ofType(schema: Json, path: readonly string[], walk: Walk): unknown {
  const types = typesOf(schema)
  if (types.includes('null') && path.length > 0) return null
  switch (types[0]) {
    case 'object':
      return objectValue(schema, {}, path, walk)
    case 'array':
      return arrayValue(schema, [], path, walk)
    case 'string':
      return stringValue(schema, '')
    case 'integer':
    case 'number':
      return numberValue(schema, 0)
    case 'boolean':
      return false
    default:
      return null
  }
}

/** Makes an offered value fit, or says `undefined` when it is of another kind altogether. */
function fit(offered: unknown, schema: Json, path: readonly string[], walk: Walk): unknown {
  const options = schema['enum']
  if (Array.isArray(options)) return options.includes(offered) ? offered : undefined
  const choices = choicesOf(schema)
  if (choices) {
    for (const choice of choices) {
      const fitted = fit(offered, resolve(choice, walk.root), path, walk)
      if (fitted !== undefined) return fitted
    }
    return undefined
  }
  const types = typesOf(schema)
  if (offered === null) return types.includes('null') || types.length === 0 ? null : undefined
  if (isObject(offered)) return types.includes('object') ? objectValue(schema, offered, path, walk) : undefined
  if (Array.isArray(offered)) return types.includes('array') ? arrayValue(schema, offered, path, walk) : undefined
  if (typeof offered === 'string') return types.includes('string') ? stringValue(schema, offered) : undefined
  if (typeof offered === 'number') {
    return types.includes('number') || types.includes('integer') ? numberValue(schema, offered) : undefined
  }
  return types.includes('boolean') ? offered : undefined
}

function objectValue(schema: Json, offered: Json, path: readonly string[], walk: Walk): Json {
  const properties = isObject(schema['properties']) ? schema['properties'] : {}
  const required = Array.isArray(schema['required']) ? schema['required'] : []
  const made: Json = {}
  for (const [name, declared] of Object.entries(properties)) {
    const member = isObject(declared) ? declared : {}
    const below = [...path, name]
    if (below.length > MAX_DEPTH && !required.includes(name)) continue
    const given = offered[name]
    const fitted = given === undefined ? undefined : fit(given, resolve(member, walk.root), below, walk)
    if (fitted !== undefined) made[name] = fitted
    else if (required.includes(name) || walk.optional || walk.fill(below, resolve(member, walk.root)) !== undefined) {
      made[name] = value(member, below, walk)
    }
  }
  return made
}

function arrayValue(schema: Json, offered: readonly unknown[], path: readonly string[], walk: Walk): unknown[] {
  const items = isObject(schema['items']) ? schema['items'] : {}
  const most = typeof schema['maxItems'] === 'number' ? schema['maxItems'] : Number.POSITIVE_INFINITY
  const least = typeof schema['minItems'] === 'number' ? schema['minItems'] : 0
  const below = [...path, '[]']
  const made: unknown[] = []
  for (const entry of offered) {
    if (made.length >= most) break
    const fitted = fit(entry, resolve(items, walk.root), below, walk)
    if (fitted !== undefined) made.push(fitted)
  }
  while (made.length < least) made.push(value(items, below, walk))
  return made
}

type Format = { pattern: RegExp; dated?: boolean; instead: string }

/** Formats that are kept, narrower than their standards, and what stands where nothing of the kind is known. */
const FORMATS: Record<string, Format> = {
  uuid: { pattern: /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, instead: '00000000-0000-4000-8000-000000000000' },
  'date-time': {
    pattern: /^\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/,
    dated: true,
    instead: '2030-01-01T00:00:00Z'
  },
  date: { pattern: /^\d{4}-\d\d-\d\d$/, dated: true, instead: '2030-01-01' },
  email: { pattern: /^[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?:[a-z0-9-]+\.)+[a-z]{2,}$/i, instead: 'nobody@example.com' },
  uri: { pattern: /^https?:\/\/[a-z0-9.-]+(?:\/[\w./-]*)?$/i, instead: 'https://example.com/' }
}

function stringValue(schema: Json, offered: string): string {
  const format = FORMATS[typeof schema['format'] === 'string' ? schema['format'] : '']
  if (format && !(format.pattern.test(offered) && (!format.dated || !Number.isNaN(Date.parse(offered)))))
    return format.instead
  const most = typeof schema['maxLength'] === 'number' ? schema['maxLength'] : Number.POSITIVE_INFINITY
  const least = typeof schema['minLength'] === 'number' ? schema['minLength'] : 0
  const cut = offered.length > most ? offered.slice(0, most) : offered
  return cut.length < least ? cut.padEnd(least, cut === '' ? '-' : '.') : cut
}

function numberValue(schema: Json, offered: number): number {
  const integer = typesOf(schema).includes('integer')
  const step = typeof schema['multipleOf'] === 'number' ? schema['multipleOf'] : integer ? 1 : 0
  const smallest = step || 1e-6
  const least = bound(schema['minimum'], schema['exclusiveMinimum'], smallest) ?? Number.NEGATIVE_INFINITY
  const most = bound(schema['maximum'], schema['exclusiveMaximum'], -smallest) ?? Number.POSITIVE_INFINITY
  const clamped = Math.min(Math.max(offered, least), most)
  if (step === 0) return clamped
  const stepped = Math.round(clamped / step) * step
  if (stepped < least) return stepped + step
  return stepped > most ? stepped - step : stepped
}

function bound(inclusive: unknown, exclusive: unknown, inward: number): number | undefined {
  if (typeof exclusive === 'number') return exclusive + inward
  return typeof inclusive === 'number' ? inclusive : undefined
}

function choicesOf(schema: Json): Json[] | undefined {
  const choices = schema['anyOf'] ?? schema['oneOf']
  return Array.isArray(choices) ? choices.filter(isObject) : undefined
}

export function typesOf(schema: Json): string[] {
  const type = schema['type']
  if (typeof type === 'string') return [type]
  if (Array.isArray(type)) return [...type.filter((name) => name !== 'null'), ...type.filter((name) => name === 'null')]
  if (isObject(schema['properties'])) return ['object']
  if (isObject(schema['items'])) return ['array']
  return []
}

/** Follows `$ref` within the schema and joins `allOf`. */
export function resolve(schema: Json, root: Json): Json {
  let current = schema
  for (let hop = 0; hop < 16 && typeof current['$ref'] === 'string'; hop++) {
    const target = current['$ref'].replace(/^#\/?/, '').split('/').filter(Boolean)
    let found: unknown = root
    for (const part of target) found = isObject(found) ? found[part.replace(/~1/g, '/').replace(/~0/g, '~')] : undefined
    const { $ref: _ref, ...beside } = current
    current = { ...(isObject(found) ? found : {}), ...beside }
  }
  const all = current['allOf']
  if (!Array.isArray(all)) return current
  const { allOf: _all, ...rest } = current
  return all
    .filter(isObject)
    .map((part) => resolve(part, root))
    .reduce(join, rest)
}

function join(left: Json, right: Json): Json {
  const properties = isObject(left['properties']) || isObject(right['properties'])
  const required = [left['required'], right['required']].flatMap((names) => (Array.isArray(names) ? names : []))
  return {
    ...left,
    ...right,
    ...(properties ? { properties: { ...(left['properties'] as Json), ...(right['properties'] as Json) } } : {}),
    ...(required.length > 0 ? { required } : {})
  }
}
