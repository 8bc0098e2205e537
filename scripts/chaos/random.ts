export { seededRandom as seeded } from '@goals/offline-provider'

export const pick = <T>(random: () => number, items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
