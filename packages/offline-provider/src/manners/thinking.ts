import type { Json } from '../check.ts'
import { everyMessage } from './chunks.ts'
import { defineManners, type Manner } from './manner.ts'

const thought = 'The learner wants it short. <b>Secret</b> plan: say it plainly.'

/** Everything that is said, under the name of another field besides: the thought comes with the role, before the answer. */
const beside = (field: string, value: unknown = thought): Pick<Manner, 'whole' | 'stream'> =>
  everyMessage((message) => ('role' in message ? { ...message, [field]: value } : message))

/** What is said begins with a thought. */
const before = (text: string): Pick<Manner, 'draft'> => ({
  draft: ({ content, toolCalls }) => ({ content: content === null ? null : `${text}${content}`, toolCalls })
})

const asParts = ({ content, ...message }: Json): Json =>
  typeof content === 'string'
    ? {
        ...message,
        content: [
          ...('role' in message ? [{ type: 'thinking', thinking: [{ type: 'text', text: thought }] }] : []),
          ...(content === '' ? [] : [{ type: 'text', text: content }])
        ]
      }
    : { ...message, content }

/** Where a server puts what the model thinks before it answers. */
export const thinkingManners = defineManners({
  'think-tags': {
    about: 'a thought in `<think>` before the answer',
    tells: true,
    ...before(`<think>${thought}</think>\n\n`)
  },
  'think-open': {
    about: 'a thought that never ends',
    tells: true,
    draft: ({ content, toolCalls }) => ({ content: content && `<think>\n${content}`, toolCalls })
  },
  'think-unopened': {
    about: 'a thought whose beginning stands in the prompt, ended by `</think>`',
    tells: true,
    ...before(`${thought}\n</think>\n\n`)
  },
  'reasoning-content': { about: 'thoughts in `reasoning_content`', tells: true, ...beside('reasoning_content') },
  'reasoning-field': { about: 'thoughts in `reasoning`', tells: true, ...beside('reasoning') },
  'thinking-parts': {
    about: 'content as a list of parts, of text and of thinking',
    tells: true,
    ...everyMessage(asParts)
  }
})
