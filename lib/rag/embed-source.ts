import type { EmbeddingRow, EmbeddingStore } from '../store/search/embeddings.ts'
import type { Source } from '../store/search/sources.ts'
import type { Chunker } from './chunker.ts'
import { chunksOf, contentHash, embeddingText } from './embedding-text.ts'
import { type Embedder, embedAll } from './vectors.ts'

/**
 * Cuts a record into chunks where its last version was cut, and gets a vector for each: the stored one of an equal text
 * of the same owner, else by tracked calls.
 * @param owner of the turn when many texts wait to be cut: the job's user
 * @returns rows to be stored, and how many of their vectors cost nothing
 */
export async function embedSource(
  { chunker, embeddings, models }: { chunker: Chunker; embeddings: EmbeddingStore; models: Embedder },
  source: Source,
  {
    owner,
    signal,
    onProgress = () => {}
  }: { owner: string; signal: AbortSignal; onProgress?: (done: number, total: number) => void }
): Promise<{ rows: EmbeddingRow[]; reused: number }> {
  const model = models.embeddingModel
  const old = await embeddings.chunksOf(source, model)
  const chunks = await chunksOf(
    chunker,
    source,
    old.map(({ heading, content }) => ({ heading, body: content })),
    { owner, signal }
  )
  const texts = chunks.map((chunk) => embeddingText(source, chunk))
  const hashes = texts.map(contentHash)
  const vectors = await embeddings.vectorsByHash(source.ownerId, model, hashes)
  const missing = new Map<string, string>()
  hashes.forEach((hash, index) => {
    const hex = hash.toString('hex')
    if (!vectors.has(hex)) missing.set(hex, texts[index] as string)
  })
  const stored = hashes.filter((hash) => vectors.has(hash.toString('hex'))).length
  const before = chunks.length - missing.size
  onProgress(before, chunks.length)
  const made = await embedAll(models, [...missing.values()], {
    step: 'embed',
    signal,
    onProgress: (done) => onProgress(before + done, chunks.length)
  })
  for (const [index, hex] of [...missing.keys()].entries()) vectors.set(hex, made.vectors[index] as number[])
  const rows = chunks.map(({ heading, body }, index) => {
    const hash = hashes[index] as Buffer
    return { heading, content: body, hash, vector: vectors.get(hash.toString('hex')) as number[] }
  })
  return { rows, reused: stored + made.reused }
}
