import { errorManners } from './errors.ts'
import { limitManners } from './limits.ts'
import type { Manner } from './manner.ts'
import { refusalManners } from './refusals.ts'
import { shapeManners } from './shapes.ts'
import { textManners } from './texts.ts'
import { thinkingManners } from './thinking.ts'
import { toolCallManners } from './tool-calls.ts'
import { usageManners } from './usage.ts'
import { vectorManners } from './vectors.ts'

const all = {
  ...errorManners,
  ...limitManners,
  ...refusalManners,
  ...shapeManners,
  ...textManners,
  ...thinkingManners,
  ...toolCallManners,
  ...usageManners,
  ...vectorManners
}

export type MannerName = keyof typeof all

/** Everything that servers are known to do in their own way, by name. */
export const manners: Record<MannerName, Manner> = all

export const mannerNames = Object.keys(all) as MannerName[]
