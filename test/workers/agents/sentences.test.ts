import test from 'ava'
import { sentencesOf } from '../../../workers/agents/sentences.ts'

const split = async (answer: string) => (await sentencesOf(answer)).map(({ text, citations }) => [text, ...citations])

test('sentences have the numbers they cite', async (t) => {
  t.deepEqual(await split('Bees dance [1]. They also sing [2][3]! Do they?'), [
    ['Bees dance [1].', 1],
    ['They also sing [2][3]!', 2, 3],
    ['Do they?']
  ])
})

test('a citation after the full stop belongs to the sentence before it', async (t) => {
  t.deepEqual(await split('Bees dance. [1] They sing.[2] They fly.'), [
    ['Bees dance. [1]', 1],
    ['They sing.[2]', 2],
    ['They fly.']
  ])
})

test('a code block stays whole, with the sentence before it', async (t) => {
  const block = '```js\nconst a = list[0]. And more.\n\nb()\n```'
  t.deepEqual(await split(`Use this [1]:\n\n${block}\n\nIt works.`), [[`Use this [1]:\n${block}`, 1], ['It works.']])
  t.deepEqual(await split(block), [[block]])
})

test('code spans neither end sentences nor cite', async (t) => {
  t.deepEqual(await split('Call `a. B(c[1])` twice. Then stop [2].'), [
    ['Call `a. B(c[1])` twice.'],
    ['Then stop [2].', 2]
  ])
})

test('list items and table rows are told apart, headings are no sentences', async (t) => {
  t.deepEqual(
    await split('# Title\n\n- one [1]\n- two\n  goes on\n\n1. three.\n\n| a | b [2] |\n|---|---|\n| c | d |\n\n---\n'),
    [['one [1]', 1], ['two goes on'], ['three.'], ['| a | b [2] |', 2], ['| c | d |']]
  )
})

test('abbreviations and numbers end no sentence', async (t) => {
  t.deepEqual(await split('Use a list, e.g. Python has one. Pi is 3.14 or so.'), [
    ['Use a list, e.g. Python has one.'],
    ['Pi is 3.14 or so.']
  ])
})

test('an empty answer has no sentences', async (t) => {
  t.deepEqual(await split(''), [])
  t.deepEqual(await split('\n\n---\n'), [])
})
