import { isObject, type Json, textOf } from './json.ts'

export type Content = { text: string; thought: string; refusal: string }

const deepest = 3

/**
 * Reads `content`: a text, one part, or a list of parts. Parts of thinking are thoughts (Mistral's hold parts of their
 * own), and parts without a text are nothing.
 */
export function readContent(value: unknown, depth = 0): Content {
  if (typeof value === 'string') return { text: value, thought: '', refusal: '' }
  const all: Content = { text: '', thought: '', refusal: '' }
  if (depth >= deepest) return all
  for (const part of Array.isArray(value) ? (value as unknown[]) : [value]) {
    const read = isObject(part) ? readPart(part, depth) : readContent(textOf(part), depth)
    all.text += read.text
    all.thought += read.thought
    all.refusal += read.refusal
  }
  return all
}

function readPart(part: Json, depth: number): Content {
  const type = textOf(part['type'])
  const inside = part['thinking'] ?? part['reasoning'] ?? part['text'] ?? part['content']
  const { text, thought, refusal } = readContent(type === 'refusal' ? part['refusal'] : inside, depth + 1)
  if (type === 'refusal') return { text: '', thought: '', refusal: text }
  const isThought = /think|reason/.test(type) || (part['text'] === undefined && part['content'] === undefined)
  return isThought ? { text: '', thought: thought + text, refusal } : { text, thought, refusal }
}

/**
 * Thoughts that stand beside the content, under one of the names that servers give them: vLLM and DeepSeek
 * `reasoning_content`, OpenRouter and Ollama `reasoning`. The same may be there under two names, and counts once.
 */
export function thoughtsBeside(message: Json): string {
  for (const name of ['reasoning_content', 'reasoning', 'thinking', 'reasoning_text']) {
    const text = textOf(message[name])
    if (text !== '') return text
  }
  return readContent(message['reasoning_details']).thought
}
