import { createHash } from 'node:crypto'
import { isObject, type Json, listOf, objectOf, textOf } from './json.ts'
import { createJsonEnd, type JsonEnd } from './json-end.ts'
import { maxToolCalls } from './limits.ts'
import { storable, storableJson } from './text.ts'

export type ToolCall = { id: string; name: string; arguments: string }

type Open = { wireId: string; name: string; arguments: string; end: JsonEnd }

/**
 * Puts the tool calls of an answer together from pieces, whoever numbered them how. A new id begins a call, and so does
 * a name behind a call that is complete; an index leads to the call that was begun under it, and without one a piece
 * belongs to the last. Names are set once, arguments may be an object.
 */
export function createToolCalls() {
  const calls: Open[] = []
  const byIndex = new Map<number, Open>()

  function take(piece: Json): void {
    const type = piece['type']
    if (typeof type === 'string' && type !== '' && type !== 'function') return
    const called = objectOf(piece['function']) ?? piece
    const name = textOf(called['name'])
    const wireId = textOf(piece['id'])
    const given = called['arguments'] ?? called['parameters']
    const index = Number.isInteger(piece['index']) ? (piece['index'] as number) : undefined
    const known = index === undefined ? calls.at(-1) : byIndex.get(index)
    const call = known && !begins(known, { wireId, name, given }) ? known : open(wireId, name)
    if (!call) return
    if (index !== undefined) byIndex.set(index, call)
    call.wireId ||= wireId
    call.name ||= name
    const text = isObject(given) || Array.isArray(given) ? JSON.stringify(given) : textOf(given)
    call.end.push(text)
    call.arguments += text
  }

  function open(wireId: string, name: string): Open | undefined {
    if (calls.length >= maxToolCalls) return undefined
    const call = { wireId, name, arguments: '', end: createJsonEnd() }
    calls.push(call)
    return call
  }

  /** Without a name nothing begins: some servers make a new id for each piece. */
  function begins(known: Open, { wireId, name, given }: { wireId: string; name: string; given: unknown }): boolean {
    if (name === '' || known.name === '') return false
    if (name !== known.name || (wireId !== '' && known.wireId !== '' && wireId !== known.wireId)) return true
    return known.end.isReached() && (isObject(given) || textOf(given) !== '')
  }

  return {
    /** A piece of a stream; or of a whole message, where every entry is a call of its own. */
    take(pieces: unknown, { isWhole = false } = {}): void {
      for (const piece of listOf(pieces)) {
        if (!isObject(piece)) continue
        if (isWhole) byIndex.clear()
        if (isWhole) take({ ...piece, index: calls.length })
        else take(piece)
      }
    },
    count: () => calls.length,
    /**
     * The calls in the order in which they began, under ids of our own: nine letters and digits, which every server
     * takes (Mistral nothing else), the same for the same step and position.
     */
    done: (step: string): ToolCall[] =>
      calls.flatMap(({ name, arguments: given }, position) =>
        name === ''
          ? []
          : [{ id: callId(step, position), name: storable(name), arguments: storableJson(given.trim() || '{}') }]
      )
  }
}

const callId = (step: string, position: number): string =>
  createHash('sha256').update(`${step}\n${position}`).digest('hex').slice(0, 9)
