import test from 'ava'
import { matchTitle, namesNothing, wordTitles } from '../src/match-title.ts'

const titles = wordTitles([
  { title: 'Write a counter' },
  { title: 'Write a counter in Python' },
  { title: 'Aprender recursión' },
  { title: 'Read' },
  { title: 'Read' },
  { title: 'My task' }
])

const meant = (said: string) => {
  const match = matchTitle(said, titles)
  return match.kind === 'one' ? match.record.title : match.kind
}

test('a record is meant by its title, whatever is around it', (t) => {
  t.is(meant('Write a counter'), 'Write a counter')
  t.is(meant('the task “write a COUNTER”'), 'Write a counter')
  t.is(meant('mi objetivo de aprender recursion'), 'Aprender recursión')
  t.is(meant('python counter'), 'Write a counter in Python')
  t.is(meant('my task'), 'My task')
})

test('where several may be meant, none is', (t) => {
  t.is(meant('read'), 'several')
  t.is(meant('counter'), 'several')
  t.is(meant('Write something else'), 'none')
  t.is(meant(''), 'none')
})

test('words that only point name nothing', (t) => {
  for (const said of ['this task', 'it', 'mi objetivo', 'la tarea', '…']) t.true(namesNothing(said), said)
  t.false(namesNothing('the task Read'))
})
