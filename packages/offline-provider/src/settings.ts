import { isObject, type Json } from './check.ts'
import type { Fault } from './faults.ts'
import type { Limits } from './limits.ts'
import { mannerNames } from './manners/manners.ts'
import type { ScriptedCompletion } from './scripts.ts'

export type OfflineSettings = {
  /** Milliseconds to the first byte of an answer. */
  latencyMs: number
  /** Milliseconds for each token produced; fractions are fine. */
  tokenMs: number
  limits: Limits
  /** The key that must be sent as bearer token; null takes any, or none. */
  apiKey: string | null
  /** Seed of faults with a probability. */
  seed: number
  faults: Fault[]
  scripts: ScriptedCompletion[]
}

export type SettingsPatch = Partial<Omit<OfflineSettings, 'limits'>> & { limits?: Partial<Limits> }

export const defaultSettings: OfflineSettings = {
  latencyMs: 0,
  tokenMs: 0,
  limits: { requestsPerMinute: null, tokensPerMinute: null },
  apiKey: null,
  seed: 1,
  faults: [],
  scripts: []
}

/**
 * Settings as they come in over HTTP.
 * @returns the patch, or a sentence that names the first bad field
 */
export function readSettingsPatch(value: unknown): SettingsPatch | string {
  if (!isObject(value)) return 'settings must be an object'
  for (const [name, member] of Object.entries(value)) {
    const problem = checkers[name]?.(member) ?? (name in checkers ? undefined : 'is unknown')
    if (problem) return `${name} ${problem}`
  }
  return value as SettingsPatch
}

const number = (value: unknown) =>
  typeof value === 'number' && value >= 0 ? undefined : 'must be a number of at least 0'
const nullableNumber = (value: unknown) => (value === null ? undefined : number(value))
const objects = (value: unknown) =>
  Array.isArray(value) && value.every(isObject) ? undefined : 'must be an array of objects'
const FAULT_KINDS = ['status', 'reset', 'hang', 'cut', 'no-finish', 'malformed', 'manner']

const checkers: Record<string, (value: unknown) => string | undefined> = {
  latencyMs: number,
  tokenMs: number,
  seed: number,
  apiKey: (value) => (value === null || typeof value === 'string' ? undefined : 'must be a string or null'),
  limits: (value) => (isObject(value) ? limitsProblem(value) : 'must be an object'),
  faults: (value) => objects(value) ?? faultsProblem(value as Json[]),
  scripts: objects
}

function faultsProblem(faults: readonly Json[]): string | undefined {
  if (!faults.every(({ kind }) => FAULT_KINDS.includes(String(kind)))) {
    return `must each have a kind of ${FAULT_KINDS.join(', ')}`
  }
  const unknown = faults.find(({ kind, name }) => kind === 'manner' && !mannerNames.some((known) => known === name))
  return unknown && `of the kind manner must have a name of ${mannerNames.join(', ')}`
}

function limitsProblem(limits: Json): string | undefined {
  for (const [name, value] of Object.entries(limits)) {
    if (name !== 'requestsPerMinute' && name !== 'tokensPerMinute') return `has no ${name}`
    if (nullableNumber(value)) return `.${name} ${nullableNumber(value)}`
  }
  return undefined
}
