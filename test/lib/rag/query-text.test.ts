import test from 'ava'
import { parseQuery } from '../../../lib/rag/query-text.ts'

test('plain words stay words', (t) => {
  t.deepEqual(parseQuery('  sort a list '), { words: 'sort a list', phrases: [], excluded: [] })
})

test('a quoted phrase is required, and its words rank as well', (t) => {
  t.deepEqual(parseQuery('explain "binary search" trees'), {
    words: 'explain binary search trees',
    phrases: ['binary search'],
    excluded: []
  })
})

test('a minus before a word or a phrase excludes it', (t) => {
  t.deepEqual(parseQuery('sorting -bubble -"merge sort"'), {
    words: 'sorting',
    phrases: [],
    excluded: ['bubble', 'merge sort']
  })
})

test('hyphens within words, negative numbers, flags of one letter and lone quotes mean nothing', (t) => {
  for (const query of ['run-length encoding', 'add -1 to it', 'git commit -m', 'a 5" disk', 'x - y', '""', '-']) {
    t.deepEqual({ ...parseQuery(query), words: '' }, { words: '', phrases: [], excluded: [] }, query)
  }
})

test('past fifty conditions phrases are words and exclusions nothing', (t) => {
  const many = (part: (n: number) => string) => parseQuery(Array.from({ length: 990 }, (_, n) => part(n)).join(' '))
  t.is(many((n) => `-w${n}`).excluded.length, 50)
  t.is(many((n) => `-w${n}`).words, '')
  const { words, phrases } = many((n) => `"a b${n}"`)
  t.is(phrases.length, 50)
  t.true(words.endsWith('a b989'))
})
