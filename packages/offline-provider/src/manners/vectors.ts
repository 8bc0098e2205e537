import type { Json } from '../check.ts'
import { defineManners, type Manner, type Said } from './manner.ts'

type Entry = { index: number; embedding: unknown }

/** Another list of vectors; what was computed is taken as an array of numbers whatever was asked for. */
function vectorsAs(change: (entries: Entry[]) => unknown): Pick<Manner, 'embeddings' | 'tells'> {
  return { tells: true, embeddings: (answer) => ({ ...answer, data: change(plain(answer)) }) }
}

function plain({ data }: Json): Entry[] {
  return (data as Entry[]).map((entry) => ({ ...entry, embedding: floats(entry.embedding) }))
}

function floats(embedding: unknown): number[] {
  if (typeof embedding !== 'string') return embedding as number[]
  const bytes = Buffer.from(embedding, 'base64')
  return Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(at * 4))
}

/** The first vector with one value changed. */
const firstValue = (value: unknown) => (entries: Entry[]) =>
  entries.map((entry, at) =>
    at === 0 ? { ...entry, embedding: [value, ...(entry.embedding as number[]).slice(1)] } : entry
  )

/** Entries that are the first of a request for several texts. */
const asText = (change: (text: string) => string): Pick<Manner, 'embeddings' | 'tells'> => ({
  tells: false,
  embeddings: (answer): Said => change(JSON.stringify({ ...answer, data: plain(answer) }))
})

/** What servers answer to embeddings requests, some of it right in another form. */
export const vectorManners = defineManners({
  'vectors-as-numbers': { about: 'numbers where base64 was asked for, as Ollama', ...vectorsAs((entries) => entries) },
  'vectors-without-index': {
    about: 'vectors in order without an index',
    ...vectorsAs((entries) => entries.map(({ embedding }) => ({ embedding })))
  },
  'vectors-in-rows': {
    about: 'each vector as a matrix of one row, as llama.cpp',
    ...vectorsAs((entries) => entries.map((entry) => ({ ...entry, embedding: [entry.embedding] })))
  },
  'vectors-reversed': { about: 'vectors in another order', ...vectorsAs((entries) => entries.toReversed()) },
  'vectors-null': {
    about: 'null for the first text',
    ...vectorsAs((entries) => entries.map((entry, at) => (at === 0 ? { ...entry, embedding: null } : entry)))
  },
  'vectors-null-values': { about: 'null among the numbers of the first text', ...vectorsAs(firstValue(null)) },
  'vectors-strings': { about: 'a number as a text', ...vectorsAs(firstValue('0.5')) },
  'vectors-too-large': { about: 'a number that is none in 32 bits', ...vectorsAs(firstValue(1e300)) },
  'vectors-nan': {
    about: 'NaN as Python writes it',
    ...asText((text) => text.replace(/"embedding":\[[^,\]]+/, '"embedding":[NaN')),
    tells: true
  },
  'vectors-infinite': {
    about: '-Infinity as Python writes it',
    ...asText((text) => text.replace(/"embedding":\[[^,\]]+/, '"embedding":[-Infinity')),
    tells: true
  },
  'vectors-nan-base64': {
    about: 'NaN in base64',
    tells: true,
    embeddings: (answer) => ({
      ...answer,
      data: plain(answer).map(({ embedding, ...entry }) => {
        const bytes = Buffer.alloc((embedding as number[]).length * 4, 0xff)
        return { ...entry, embedding: bytes.toString('base64') }
      })
    })
  },
  'vectors-index-twice': {
    about: 'index 0 for every vector',
    ...vectorsAs((entries) => entries.map((entry) => ({ ...entry, index: 0 })))
  },
  'vectors-index-beyond': {
    about: 'indexes that begin at 1',
    ...vectorsAs((entries) => entries.map((entry) => ({ ...entry, index: entry.index + 1 })))
  },
  'vectors-missing': { about: 'one vector less than texts', ...vectorsAs((entries) => entries.slice(1)) },
  'vectors-none': { about: 'no vectors and no error', ...vectorsAs(() => []) },
  'vectors-narrow': {
    about: 'vectors of 768 dimensions',
    ...vectorsAs((entries) =>
      entries.map((entry) => ({ ...entry, embedding: (entry.embedding as number[]).slice(0, 768) }))
    )
  },
  'vectors-doubles': {
    about: 'base64 of 64-bit floats, as older vLLM, until numbers are asked for',
    tells: true,
    embeddings: ({ data, ...answer }) => ({
      ...answer,
      data: (data as Entry[]).map((entry) => ({
        ...entry,
        embedding:
          typeof entry.embedding === 'string'
            ? Buffer.from(Float64Array.from(floats(entry.embedding)).buffer).toString('base64')
            : entry.embedding
      }))
    })
  },
  'vectors-none-as-base64': {
    about: 'no vectors when base64 was asked for, as OpenRouter for some models',
    tells: true,
    embeddings: ({ data, ...answer }) => ({
      ...answer,
      data: (data as Entry[]).filter(({ embedding }) => typeof embedding !== 'string')
    })
  },
  'vectors-endless': {
    about: 'an answer without end',
    ...asText((text) => `${text.slice(0, -1)},"more":"${'x'.repeat(2_000_000)}"}`)
  },
  'vectors-as-page': { about: 'a page of HTML with status 200', ...asText(() => '<html><body>Welcome</body></html>') },
  'vectors-error-inside': {
    about: 'an error with status 200',
    tells: true,
    embeddings: (_answer, { line }) => {
      line.promptTokens = 0
      return { error: { code: 401, message: 'No auth credentials found' } }
    }
  }
})
