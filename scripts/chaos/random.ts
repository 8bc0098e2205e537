export { seededRandom as seeded } from '../../lib/models/offline/faults.ts'

export const pick = <T>(random: () => number, items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
