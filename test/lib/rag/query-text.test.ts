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
