import type { LoadAnswer, LoadOrder } from '../programs/load.ts'
import type { Stage } from './stage.ts'

export type Load = (order: LoadOrder) => Promise<LoadAnswer>

/**
 * Load from a process of its own, which all sides of a bench share.
 * @returns what sends one load; it rejects when one answer in a thousand is not as it should be
 */
export async function openLoad({ startProgram }: Pick<Stage, 'startProgram'>): Promise<Load> {
  const program = await startProgram('programs/load.ts')
  return async (order) => {
    const answer = await program.ask<LoadAnswer>(order)
    if (answer.wrong > (answer.right + answer.wrong) / 1_000) {
      throw new Error(`${answer.wrong} of ${answer.right + answer.wrong} answers of ${order.url} were wrong`)
    }
    return answer
  }
}
