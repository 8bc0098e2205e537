/** What a message asks to be done. */
export { asksForChanges, commandsIn } from './src/commands.ts'
export { isGreeting } from './src/greeting.ts'

/** Which record's title a message means. */
export {
  type Match,
  matchTitle,
  namesNothing,
  tellingWords,
  withoutLead,
  wordsOf,
  wordTitles
} from './src/match-title.ts'
export {
  fullerName,
  isMentioned,
  isSaidIn,
  namesOneOf,
  onlyOrders,
  quotedNames,
  speaksOf,
  withoutTexts
} from './src/named-in.ts'

/** Letters without what differs from keyboard to keyboard. */
export { evenSpaces, withoutMarks } from './src/plain-letters.ts'

/** Tokens of the o200k vocabulary. */
export {
  countingTokens,
  countTokens,
  decodeTokens,
  encodeTokens,
  tokenPieces,
  vocabularyRank
} from './src/tokens.ts'
