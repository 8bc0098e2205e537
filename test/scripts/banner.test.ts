import test from 'ava'
import { banner } from '../../scripts/start/banner.ts'

const facts = {
  url: 'http://127.0.0.1:8000',
  admin: { email: 'admin@localhost', apiKey: 'gk_secret', password: 'pass-word' },
  keyFile: '/data/my goals/admin.key',
  production: false,
  logFolder: '/data/logs'
}

test('the banner ends with three lines to paste that hold the address and the key', (t) => {
  const lines = banner(facts).split('\n')
  const curls = lines.filter((line) => line.includes('curl '))
  t.is(curls.length, 3)
  for (const line of curls) t.true(line.includes(facts.url))
  t.is(curls.filter((line) => line.includes('Bearer gk_secret')).length, 2)
})

test('in production neither key nor password is shown, and the lines read the key from its file', (t) => {
  const text = banner({ ...facts, production: true })
  t.notRegex(text, /gk_secret|pass-word/)
  t.is(text.split(`Bearer $(cat '/data/my goals/admin.key')`).length, 3)
})
