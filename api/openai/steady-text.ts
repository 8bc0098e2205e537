import type { Delta } from '../../lib/events/delta-feed.ts'

/**
 * The text of a job for a reader to whom nothing can be unsaid. A job that is tried again tells its text from the
 * beginning: what was said already is waited through as long as it is the same.
 */
export type SteadyText = {
  /** Takes what is told of a job. @returns false once it contradicts what was said: nothing more is said then */
  take(delta: Delta): boolean
  /** Says what is missing of the final text. @returns false when that begins otherwise */
  finish(content: string): boolean
}

export function createSteadyText(say: (text: string) => void): SteadyText {
  let said = ''
  let told = ''
  let isBroken = false

  function sayBeyond(text: string): boolean {
    if (isBroken || !text.startsWith(said)) {
      isBroken = true
      return false
    }
    const more = text.slice(said.length)
    said = text
    if (more !== '') say(more)
    return true
  }

  return {
    take(delta) {
      if (isBroken) return false
      if (delta.type === 'reset') {
        told = ''
        return true
      }
      told += delta.text
      if (told.length >= said.length) return sayBeyond(told)
      if (said.startsWith(told)) return true
      isBroken = true
      return false
    },
    finish: sayBeyond
  }
}
