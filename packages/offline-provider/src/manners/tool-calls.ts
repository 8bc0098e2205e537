import { DONE } from '../chat-wire.ts'
import { isObject, type Json } from '../check.ts'
import { choiceOf, everyMessage } from './chunks.ts'
import { defineManners, type Manner } from './manner.ts'

/** Every call, or piece of one, changed. */
const calls = (change: (call: Json) => Json): Pick<Manner, 'whole' | 'stream'> =>
  everyMessage((message) => {
    const called = message['tool_calls']
    return Array.isArray(called) ? { ...message, tool_calls: called.filter(isObject).map(change) } : message
  })

const without =
  (...names: string[]) =>
  (call: Json): Json =>
    Object.fromEntries(Object.entries(call).filter(([name]) => !names.includes(name)))

const withFunction = (call: Json, change: (called: Json) => Json): Json =>
  isObject(call['function']) ? { ...call, function: change(call['function']) } : call

/** Each call in one piece, as servers send it that make it at once: from the pieces of the usual stream. */
function inOnePiece(change: (call: Json, at: number) => Json): Pick<Manner, 'whole' | 'stream'> {
  return {
    whole: calls((call) => change(call, 0)).whole as NonNullable<Manner['whole']>,
    async *stream(chunks) {
      const made: Json[] = []
      for await (const chunk of chunks) {
        const pieces = piecesOf(chunk)
        for (const piece of pieces) {
          const at = Number(piece['index'])
          const called = piece['function'] as Json
          const call = (made[at] ??= { ...piece, function: { ...called, arguments: '' } })
          withArguments(call, called['arguments'])
        }
        if (pieces.length > 0) continue
        for (const [at, call] of made.splice(0).entries()) {
          yield {
            ...chunk,
            usage: null,
            choices: [{ index: 0, delta: { tool_calls: [change(call, at)] }, finish_reason: null }]
          }
        }
        yield chunk
      }
      yield DONE
    }
  }
}

function withArguments(call: Json, more: unknown): void {
  const called = call['function'] as Json
  if (typeof more === 'string') called['arguments'] = `${called['arguments'] as string}${more}`
}

function piecesOf(chunk: Json): Json[] {
  const delta = choiceOf(chunk)?.['delta']
  const pieces = isObject(delta) ? delta['tool_calls'] : undefined
  return Array.isArray(pieces) ? pieces.filter(isObject).map((piece) => ({ ...piece })) : []
}

/** How calls of tools are numbered, named and told apart. */
export const toolCallManners = defineManners({
  'calls-without-index': { about: 'tool calls without an index', tells: true, ...calls(without('index')) },
  'calls-all-index-zero': {
    about: 'every tool call under the index 0',
    tells: true,
    ...calls((call) => ('index' in call ? { ...call, index: 0 } : call)),
    ...inOnePiece((call) => ({ ...call, index: 0 }))
  },
  'calls-name-repeated': {
    about: 'the name in every piece of a tool call',
    tells: true,
    async *stream(chunks) {
      const names = new Map<unknown, unknown>()
      for await (const chunk of chunks) {
        const pieces = piecesOf(chunk)
        for (const piece of pieces) {
          const called = piece['function'] as Json
          if (called['name'] !== undefined) names.set(piece['index'], called['name'])
        }
        const said = pieces.map((piece) =>
          withFunction(piece, (called) => ({ name: names.get(piece['index']), ...called }))
        )
        yield pieces.length > 0
          ? { ...chunk, choices: [{ index: 0, delta: { tool_calls: said }, finish_reason: null }] }
          : chunk
      }
      yield DONE
    }
  },
  'calls-with-objects': {
    about: 'arguments as an object',
    tells: true,
    ...inOnePiece((call) =>
      withFunction(call, (called) => ({ ...called, arguments: JSON.parse(String(called['arguments'])) as unknown }))
    )
  },
  'calls-without-ids': {
    about: 'tool calls without ids',
    tells: true,
    ...calls(without('id')),
    ...inOnePiece(without('id', 'index'))
  },
  'calls-equal-ids': {
    about: 'the same id for every tool call',
    tells: true,
    ...inOnePiece((call) => ({ ...without('index')(call), id: 'call_0' }))
  }
})
