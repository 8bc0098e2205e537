/** What each job of a worker program carries, and the result that its handler makes: an embedding when VECTOR is set. */

export const payload = { input: 'a function that calls itself' }

const dimensions = process.env.VECTOR ? 1_536 : 0

export function makeResult(): { model: string; embedding: number[] } {
  return { model: 'offline-embedding-small', embedding: Array.from({ length: dimensions }, () => Math.random()) }
}
