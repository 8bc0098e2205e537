export { countTokens, countTokensInTurns } from './offline/tokens.ts'
