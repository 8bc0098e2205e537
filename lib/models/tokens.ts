export { countTokens } from './offline/tokens.ts'
