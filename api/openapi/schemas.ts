import { z } from 'zod'

export type JsonSchema = { [keyword: string]: unknown }

export type SchemaBook = {
  /** The schema of what a client sends, or of what it gets: named ones as references into `components`. */
  describe(schema: z.ZodType, side: 'input' | 'output'): JsonSchema
  /** Every named schema that was referred to. */
  components: Record<string, JsonSchema>
}

/** Formats whose patterns say the same again at length. */
const spoken = new Set(['uuid', 'date-time', 'email', 'uri'])

/**
 * Writes zod schemas as JSON Schema 2020-12, the dialect of OpenAPI 3.1. A schema with `meta({ id })` becomes a component
 * of that name; when what is sent and what is got differ, the sent one is called `…Input`.
 */
export function createSchemaBook(): SchemaBook {
  const components: Record<string, JsonSchema> = {}

  function describe(schema: z.ZodType, side: 'input' | 'output'): JsonSchema {
    const {
      $schema: _dialect,
      $defs = {},
      ...root
    } = z.toJSONSchema(schema, {
      io: side,
      unrepresentable: 'any',
      override: ({ jsonSchema }) => {
        if (spoken.has(jsonSchema.format ?? '')) delete jsonSchema.pattern
        delete jsonSchema.id
        // An answer may gain fields; a request may not have unknown ones.
        if (side === 'output' && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties
      }
    }) as JsonSchema & { $defs?: Record<string, JsonSchema> }

    const names = new Map(Object.keys($defs).map((id) => [id, id]))
    for (const [id, definition] of Object.entries($defs)) {
      const known = components[id]
      if (known && !same(known, refer(definition, names)))
        names.set(id, `${id}${side === 'input' ? 'Input' : 'Output'}`)
    }
    for (const [id, definition] of Object.entries($defs)) {
      components[names.get(id) ?? id] = refer(definition, names)
    }
    return refer(root, names)
  }
  return { describe, components }
}

const same = (one: JsonSchema, other: JsonSchema): boolean => JSON.stringify(one) === JSON.stringify(other)

/** Makes references into zod's own definitions references into the document's components. */
function refer(schema: JsonSchema, names: Map<string, string>): JsonSchema {
  const copy = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(copy)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key]) => key !== 'id' || typeof (value as JsonSchema).id !== 'string')
        .map(([key, inner]) => {
          const id = key === '$ref' && typeof inner === 'string' ? /^#\/\$defs\/(.+)$/.exec(inner)?.[1] : undefined
          return [key, id ? `#/components/schemas/${names.get(id) ?? id}` : copy(inner)]
        })
    )
  }
  return copy(schema) as JsonSchema
}
