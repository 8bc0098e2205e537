import { countingTokens } from '@goals/text'
import { inTurns } from '../sharing/in-turns.ts'

export { countTokens } from '@goals/text'

/**
 * As `countTokens`, for texts that together may be long: whoever shares the process gets a turn every few milliseconds.
 * @throws the signal's reason when it aborts in between
 */
export const countTokensInTurns = async (texts: readonly string[], signal?: AbortSignal): Promise<number[]> =>
  await inTurns(countingTokens(texts), signal)
