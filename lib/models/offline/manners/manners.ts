import type { Manner } from './manner.ts'
import { refusalManners } from './refusals.ts'
import { thinkingManners } from './thinking.ts'
import { usageManners } from './usage.ts'
import { vectorManners } from './vectors.ts'

const all = { ...refusalManners, ...thinkingManners, ...usageManners, ...vectorManners }

export type MannerName = keyof typeof all

/** Everything that servers are known to do in their own way, by name. */
export const manners: Record<MannerName, Manner> = all

export const mannerNames = Object.keys(all) as MannerName[]
