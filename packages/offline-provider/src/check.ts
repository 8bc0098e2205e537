import { badRequest, invalidType, invalidValue, missingParameter } from './errors.ts'

export type Json = Record<string, unknown>

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

type Range = { min?: number; max?: number; integer?: boolean }

/** A number within its range, or `undefined` when the field is absent or null. */
export function optionalNumber(body: Json, name: string, range: Range = {}): number | undefined {
  const value = body[name]
  if (value === undefined || value === null) return undefined
  const kind = range.integer ? 'integer' : 'decimal'
  const article = range.integer ? 'an integer' : 'a decimal'
  if (typeof value !== 'number' || !Number.isFinite(value) || (range.integer && !Number.isInteger(value))) {
    throw invalidType(name, article, value)
  }
  if (range.min !== undefined && value < range.min) throw outOfRange(name, kind, value, range.min, 'below')
  if (range.max !== undefined && value > range.max) throw outOfRange(name, kind, value, range.max, 'above')
  return value
}

function outOfRange(name: string, kind: string, value: number, limit: number, side: 'below' | 'above') {
  const bound = side === 'below' ? 'minimum' : 'maximum'
  const sign = side === 'below' ? '>=' : '<='
  return badRequest(
    `Invalid '${name}': ${kind} ${side} ${bound} value. Expected a value ${sign} ${limit}, but got ${value} instead.`,
    name,
    `${kind}_${side}_${side === 'below' ? 'min' : 'max'}_value`
  )
}

export function optionalBoolean(body: Json, name: string): boolean | undefined {
  const value = body[name]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'boolean') throw invalidType(name, 'a boolean', value)
  return value
}

export function optionalString(body: Json, name: string): string | undefined {
  const value = body[name]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw invalidType(name, 'a string', value)
  return value
}

export function optionalChoice<T extends string>(body: Json, name: string, choices: readonly T[]): T | undefined {
  const value = optionalString(body, name)
  if (value === undefined) return undefined
  const found = choices.find((choice) => choice === value)
  if (found === undefined) throw invalidValue(name, value, choices)
  return found
}

/** The model's name; the real API words its absence unlike that of any other parameter. */
export function requiredModel(body: Json): string {
  const model = body['model']
  if (model === undefined || model === null || model === '') throw badRequest('you must provide a model parameter')
  if (typeof model !== 'string') throw invalidType('model', 'a string', model)
  return model
}

export function requiredString(body: Json, name: string, path: string): string {
  const value = body[name]
  if (value === undefined || value === null) throw missingParameter(path)
  if (typeof value !== 'string') throw invalidType(path, 'a string', value)
  return value
}
