import type { ChatCall, Draft } from './chat-types.ts'
import type { Conversation } from './conversation.ts'

/**
 * A completion decided beforehand, for the first request it matches. All of `match`, `system` and `afterTool` that
 * are given must fit.
 */
export type ScriptedCompletion = {
  /** A part of the last user message; a function (in-process only) sees that text and the whole request. */
  match?: string | ((lastUser: string, call: ChatCall) => boolean)
  /** A part of the system messages. */
  system?: string
  /** The name of a tool whose result has come in since the last user message; `false`: no result has. */
  afterTool?: string | false
  /** How often it answers: 1 unless told; null without end. */
  times?: number | null
  /** What is answered: text, as it is (`rawContent` reads better for JSON that is broken on purpose) … */
  content?: string
  rawContent?: string
  /** … or tools that are called; `arguments` given as a string go out as they are, broken JSON too. */
  toolCalls?: { name: string; arguments: unknown }[]
}

export type ScriptBox = ReturnType<typeof createScriptBox>

/** The scripted completions that are still to come, first match first. */
export function createScriptBox() {
  let waiting: ScriptedCompletion[] = []
  return {
    set(scripts: readonly ScriptedCompletion[]): void {
      waiting = scripts.map((script) => ({ ...script }))
    },
    add(script: ScriptedCompletion): void {
      waiting.push({ ...script })
    },
    list: (): ScriptedCompletion[] => waiting.map((script) => ({ ...script })),
    take(conversation: Conversation): Draft | undefined {
      const script = waiting.find((candidate) => matches(candidate, conversation))
      if (!script) return undefined
      const times = script.times === undefined ? 1 : script.times
      if (times !== null) {
        if (times <= 1) waiting = waiting.filter((other) => other !== script)
        else script.times = times - 1
      }
      return draftOf(script)
    }
  }
}

function matches(script: ScriptedCompletion, { call, said, system, used }: Conversation): boolean {
  const { match, afterTool } = script
  if (typeof match === 'string' && !said.includes(match)) return false
  if (typeof match === 'function' && !match(said, call)) return false
  if (script.system !== undefined && !system.includes(script.system)) return false
  if (afterTool === false) return used.length === 0
  return afterTool === undefined || used.some((use) => use.call.name === afterTool)
}

function draftOf(script: ScriptedCompletion): Draft {
  const toolCalls = (script.toolCalls ?? []).map(({ name, arguments: given }) => ({
    name,
    arguments: typeof given === 'string' ? given : JSON.stringify(given ?? {})
  }))
  const content = script.rawContent ?? script.content ?? (toolCalls.length > 0 ? null : '')
  return { content, toolCalls }
}
