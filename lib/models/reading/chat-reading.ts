import { errorInside, malformed } from '../provider-error.ts'
import { readContent, thoughtsBeside } from './content.ts'
import { type FinishReason, readFinishReason } from './finish-reason.ts'
import { isObject, type Json, listOf, objectOf, textOf } from './json.ts'
import { tokensTaken } from './limits.ts'
import { createTokenMeter } from './meter.ts'
import { createTextCleaner, storable, storableJson } from './text.ts'
import { createThinkingFilter, type Divided } from './thinking.ts'
import { createToolCalls, type ToolCall } from './tool-calls.ts'
import { nothingTold, readUsage, type ToldUsage } from './usage.ts'

export type Answer = { content: string; toolCalls: ToolCall[]; finishReason: FinishReason; refusal: string | null }

/** Name of an event that is no event, but the whole body. */
export const wholeAnswer = 'whole answer'

export type ChatReading = ReturnType<typeof createChatReading>

/**
 * Understands an answer from the values of JSON that it is made of: one whole completion, or chunks. Nothing in them is
 * taken for granted.
 * @param step makes the ids of tool calls
 * @param isJson whether JSON was asked for
 * @param thinksUnopened whether the model is known to end thoughts that it did not begin
 * @param onText is told what is said, as it comes
 */
export function createChatReading({
  step,
  isJson,
  grantedTokens,
  thinksUnopened,
  onText
}: {
  step: string
  isJson: boolean
  grantedTokens: number
  thinksUnopened: boolean
  onText: (text: string) => void
}) {
  const meter = createTokenMeter()
  const thinking = createThinkingFilter({ isJson, isUnopened: thinksUnopened })
  const cleaner = createTextCleaner()
  const toolCalls = createToolCalls()
  let content = ''
  let refusal = ''
  let finishReason: FinishReason | undefined
  let told: ToldUsage = nothingTold
  let chosen: number | undefined
  let hasChoice = false
  let hasDelta = false
  let isWhole = false
  let hasReceived = false
  let endedByUsage = false
  let isStale = false
  let isDone = false

  function count(text: string): void {
    if (text === '') return
    hasReceived = true
    isStale = true
    meter.add(text)
  }

  function say(divided: Divided): void {
    if (divided.unsays) content = ''
    const text = cleaner.push(divided.said)
    if (text === '') return
    content += text
    onText(text)
  }

  function takeMessage(message: Json, isComplete: boolean): void {
    const read = readContent(message['content'])
    const thought = read.thought || thoughtsBeside(message)
    const declined = textOf(message['refusal']) || read.refusal
    for (const text of [read.text, thought, declined]) count(text)
    refusal += declined
    if (read.text !== '') say(thinking.push(read.text))
    const called = message['tool_calls'] ?? (message['function_call'] ? [message['function_call']] : undefined)
    for (const piece of listOf(called)) if (isObject(piece)) count(calledText(piece))
    toolCalls.take(called, { isWhole: isComplete })
  }

  function takeChoice(choice: Json): void {
    hasChoice = true
    const delta = objectOf(choice['delta'])
    const message = objectOf(choice['message'])
    if (delta) takeMessage(delta, false)
    // Some repeat the whole message at the end of its stream.
    else if (message && !hasDelta) takeMessage(message, isWhole)
    else if (typeof choice['text'] === 'string') takeMessage({ content: choice['text'] }, false)
    hasDelta ||= delta !== undefined
    const reason = readFinishReason(choice['finish_reason'])
    if (isFailure(choice['error'])) throw errorInside(choice['error'])
    if (reason === 'error') throw errorInside({})
    finishReason = reason ?? finishReason
  }

  function choiceOf(choices: unknown): Json | undefined {
    const all = listOf(choices).filter(isObject)
    const indexOf = ({ index }: Json) => (typeof index === 'number' ? index : 0)
    const first = all.find((choice) => indexOf(choice) === (chosen ?? 0)) ?? (chosen === undefined ? all[0] : undefined)
    if (first) chosen = indexOf(first)
    return first
  }

  function takeUsage(value: Json, choice: Json | undefined): void {
    // Groq and Moonshot have put it elsewhere.
    const usage = value['usage'] ?? objectOf(value['x_groq'])?.['usage'] ?? choice?.['usage']
    const read = readUsage(usage, hasReceived)
    const isTold = read.promptTokens !== undefined || read.completionTokens !== undefined
    if (isTold) {
      told = read
      isStale = false
    }
    endedByUsage = isTold && !choice
  }

  function takeOne(value: Json, eventName: string): void {
    const { error } = value
    const isError = value['object'] === 'error' || (eventName === 'error' && value['choices'] === undefined)
    const choice = choiceOf(value['choices'])
    try {
      if (isFailure(error)) throw errorInside(error)
      if (isError) throw errorInside(value)
      if (choice) takeChoice(choice)
    } finally {
      // What an answer took is charged for, whatever became of it.
      takeUsage(value, choice)
    }
  }

  /** Said why, or by `[DONE]`, or followed by what it took. */
  const hasEnded = (): boolean => isDone || finishReason !== undefined || (hasChoice && (endedByUsage || isWhole))

  const exceedsGrant = (): boolean => meter.exceeds(tokensTaken(grantedTokens))

  function finish(): void {
    say(thinking.end())
    const last = cleaner.end()
    content += last
    if (last !== '') onText(last)
  }

  return {
    /** @throws APIError for an error that came inside the answer, as if it had come with its status */
    take(value: unknown, eventName = ''): void {
      isWhole = eventName === wholeAnswer
      for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) {
        if (isObject(one)) takeOne(one, eventName)
      }
    },
    /** Whether more has come than the call may take. */
    exceedsGrant,
    /** `[DONE]` */
    done(): void {
      isDone = true
    },
    hasEnded,
    /** Whether nothing can come any more: it is said, or why it ended and then what it took. */
    isOver: (): boolean => isDone || (finishReason !== undefined && endedByUsage),
    hasReceived: (): boolean => hasReceived,
    /** Whether the model was seen to end a thought that it had not begun; `undefined` when it wrote nothing. */
    hasUnopenedThought: thinking.hasUnopened,
    told: (): ToldUsage => told,
    /** Whether what it says it took is about all of it: said with its end, or after it. */
    isToldInFull: (): boolean => !isStale && (endedByUsage || hasEnded()),
    /** Tokens of all that came, thoughts and tool calls included. */
    received: (): number => meter.count(),
    /**
     * The answer, as far as it came.
     * @param isCut it was broken off at its limit
     * @throws JobError `provider_malformed` when there is none
     */
    answer({ isCut = false } = {}): Answer {
      finish()
      if (!hasChoice) throw malformed('an answer without a choice')
      const calls = toolCalls.done(step)
      // JSON that came whole is used, however long it is.
      const isTooLong = isCut || (!isJson && exceedsGrant())
      return {
        content: isJson ? storableJson(content) : content,
        toolCalls: calls,
        finishReason: isTooLong ? 'length' : (finishReason ?? (calls.length > 0 ? 'tool_calls' : 'stop')),
        refusal: refusal === '' ? null : storable(refusal)
      }
    }
  }
}

function calledText(piece: Json): string {
  const called = objectOf(piece['function']) ?? piece
  const given = called['arguments'] ?? called['parameters']
  return textOf(called['name']) + (isObject(given) ? JSON.stringify(given) : textOf(given))
}

/** `error: null` and `error: {}` say that there is none. */
const isFailure = (error: unknown): boolean =>
  (typeof error === 'string' && error !== '') || (isObject(error) && Object.keys(error).length > 0)
