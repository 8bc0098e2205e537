import { isObject, type Json } from '../check.ts'
import { everyMessage } from './chunks.ts'
import { defineManners } from './manner.ts'

const spoilt = (text: unknown, more: string): unknown =>
  typeof text === 'string' && text !== '' ? `${text}${more}` : text

const spoiltCall = (call: Json): Json => ({
  ...call,
  ...(typeof call['id'] === 'string' ? { id: `${call['id']}\u0000\ud800` } : {}),
  function: isObject(call['function'])
    ? {
        ...call['function'],
        ...('name' in call['function'] ? { name: spoilt(call['function']['name'], '\u0000') } : {})
      }
    : call['function']
})

/** Texts that a database does not keep. */
export const textManners = defineManners({
  'text-with-nul': {
    about: 'NUL in content, ids and names',
    tells: true,
    ...everyMessage(({ content, tool_calls: called, ...message }) => ({
      ...message,
      content: spoilt(content, '\u0000'),
      ...(Array.isArray(called) ? { tool_calls: called.filter(isObject).map(spoiltCall) } : {})
    }))
  },
  'text-half-surrogate': {
    about: 'half a surrogate pair behind each piece',
    tells: true,
    ...everyMessage((message) => ({ ...message, content: spoilt(message['content'], '\ud83d') }))
  },
  'text-refused-with-nul': {
    about: 'a refusal with NUL and half a surrogate pair',
    tells: true,
    ...everyMessage((message) => ('role' in message ? { ...message, refusal: 'I cannot\u0000 say\udc00.' } : message))
  }
})
