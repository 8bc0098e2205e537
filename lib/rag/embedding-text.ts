import { createHash } from 'node:crypto'
import type { Source } from '../store/search/sources.ts'
import { type Chunk, headingSeparator } from './chunk.ts'
import type { Chunker, ChunkTurn } from './chunker.ts'

/** The chunks of a record. The note to a piece of code is one of its own, before the code; its path leads the headings. */
export async function chunksOf(chunker: Chunker, source: Source, old: Chunk[], turn: ChunkTurn): Promise<Chunk[]> {
  const path = source.path && source.path !== source.title ? source.path : ''
  const under = (heading: string) => [path, heading].filter(Boolean).join(headingSeparator)
  const above = ({ heading, body }: Chunk): Chunk =>
    path && heading.startsWith(path)
      ? { heading: heading.slice(path.length).replace(headingSeparator, ''), body }
      : { heading, body }
  const note = source.note?.trim() ? await chunker.chunk({ kind: 'markdown', text: source.note }, turn) : []
  const { kind, text: whole, language } = source
  const text = await chunker.chunk({ kind, text: whole, language: language ?? undefined, old: old.map(above) }, turn)
  return [...note, ...text].map(({ heading, body }) => ({ heading: under(heading), body }))
}

/**
 * The text whose vector a chunk gets. Title and headings say what a passage alone leaves out. Code goes without: its
 * title is its task's, and with it every solution would be nearer to a question than the task that asks it.
 */
export function embeddingText({ kind, title }: Pick<Source, 'kind' | 'title'>, { heading, body }: Chunk): string {
  const above = [kind === 'code' ? '' : title, heading].filter(Boolean).join('\n')
  return [above, body].filter(Boolean).join('\n\n') || title
}

/** Names a text whatever the model: equal texts need one vector for each model. */
export const contentHash = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Names everything of a record that its chunks are made of: equal hashes mean equal chunks. */
export function sourceHash({ kind, title, text, language, path, note }: Source): Buffer {
  return contentHash(JSON.stringify([kind, kind === 'code' ? [language, path, note] : title, text]))
}
