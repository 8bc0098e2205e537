import test from 'ava'
import { sentencesOf } from '../../../workers/agents/sentences.ts'

const split = (answer: string) => sentencesOf(answer).map(({ text, citations }) => [text, ...citations])

test('sentences have the numbers they cite', (t) => {
  t.deepEqual(split('Bees dance [1]. They also sing [2][3]! Do they?'), [
    ['Bees dance [1].', 1],
    ['They also sing [2][3]!', 2, 3],
    ['Do they?']
  ])
})

test('a citation after the full stop belongs to the sentence before it', (t) => {
  t.deepEqual(split('Bees dance. [1] They sing.[2] They fly.'), [
    ['Bees dance. [1]', 1],
    ['They sing.[2]', 2],
    ['They fly.']
  ])
})

test('a code block stays whole, with the sentence before it', (t) => {
  const block = '```js\nconst a = list[0]. And more.\n\nb()\n```'
  t.deepEqual(split(`Use this [1]:\n\n${block}\n\nIt works.`), [[`Use this [1]:\n${block}`, 1], ['It works.']])
  t.deepEqual(split(block), [[block]])
})

test('code spans neither end sentences nor cite', (t) => {
  t.deepEqual(split('Call `a. B(c[1])` twice. Then stop [2].'), [['Call `a. B(c[1])` twice.'], ['Then stop [2].', 2]])
})

test('list items and table rows are told apart, headings are no sentences', (t) => {
  t.deepEqual(
    split('# Title\n\n- one [1]\n- two\n  goes on\n\n1. three.\n\n| a | b [2] |\n|---|---|\n| c | d |\n\n---\n'),
    [['one [1]', 1], ['two goes on'], ['three.'], ['| a | b [2] |', 2], ['| c | d |']]
  )
})

test('abbreviations and numbers end no sentence', (t) => {
  t.deepEqual(split('Use a list, e.g. Python has one. Pi is 3.14 or so.'), [
    ['Use a list, e.g. Python has one.'],
    ['Pi is 3.14 or so.']
  ])
})

test('an empty answer has no sentences', (t) => {
  t.deepEqual(split(''), [])
  t.deepEqual(split('\n\n---\n'), [])
})
