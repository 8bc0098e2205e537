import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { countTokens } from '@goals/text'
import test from 'ava'
import { embed, similarity } from '../src/embed.ts'

type Task = { id: string; title: string; instructions: string }
type Query = { query: string; relevantTask: string }

const folder = resolve(import.meta.dirname, '../../../sample/everyday-problems')

function readLines<T>(file: string): T[] {
  const lines = readFileSync(resolve(folder, file), 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line) as T)
}

const tasks = readLines<Task>('tasks.jsonl')
const queries = readLines<Query>('queries.jsonl')

type Entry = { slug: string; vector: Float32Array }

/** Place of the first relevant entry for each query, from 1. */
function ranks(entries: readonly Entry[]): number[] {
  return queries.map(({ query, relevantTask }) => {
    const vector = embed(query)
    const ranked = entries
      .map((entry) => ({ slug: entry.slug, score: similarity(vector, entry.vector) }))
      .toSorted((a, b) => b.score - a.score)
    const distinct = [...new Set(ranked.map(({ slug }) => slug))]
    return distinct.indexOf(relevantTask) + 1
  })
}

const slugOf = (id: string) => id.split('/')[1] ?? id
const share = (places: readonly number[], most: number) =>
  places.filter((place) => place <= most).length / places.length
const reciprocal = (places: readonly number[]) => places.reduce((sum, place) => sum + 1 / place, 0) / places.length

test('the right task is among the first five for nine queries in ten', (t) => {
  const places = ranks(
    tasks.map(({ id, title, instructions }) => ({ slug: slugOf(id), vector: embed(`${title}\n\n${instructions}`) }))
  )
  t.log(`hit@5 ${share(places, 5).toFixed(3)}, MRR ${reciprocal(places).toFixed(3)} over ${queries.length} queries`)
  t.true(share(places, 5) >= 0.9)
  t.true(reciprocal(places) >= 0.8)
})

test('chunks of about 300 tokens under their titles find as well as whole texts', (t) => {
  const entries = tasks.flatMap(({ id, title, instructions }) =>
    chunksOf(instructions).map((chunk) => ({ slug: slugOf(id), vector: embed(`${title}\n\n${chunk}`) }))
  )
  const places = ranks(entries)
  t.log(`hit@5 ${share(places, 5).toFixed(3)}, MRR ${reciprocal(places).toFixed(3)} over ${entries.length} chunks`)
  t.true(share(places, 5) >= 0.9)
  t.true(reciprocal(places) >= 0.8)
})

function chunksOf(text: string): string[] {
  const chunks: string[] = ['']
  for (const paragraph of text.split(/\n\n+/)) {
    const grown = `${chunks.at(-1)}\n\n${paragraph}`.trim()
    if (countTokens(grown) > 300 && chunks.at(-1) !== '') chunks.push(paragraph)
    else chunks[chunks.length - 1] = grown
  }
  return chunks
}
