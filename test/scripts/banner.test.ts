import test from 'ava'
import { banner } from '../../scripts/start/banner.ts'

const facts = {
  url: 'http://127.0.0.1:8000',
  admin: { email: 'admin@localhost', apiKey: 'gk_secret', password: 'pass-word' },
  keyFile: '/data/my goals/admin.key',
  production: false,
  logFolder: '/data/logs',
  registration: 'open' as const,
  paid: false,
  chatModel: 'offline-chat-mini',
  baseUrl: undefined,
  defaultDailyPico: null
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

test('the banner says which model answers, and how to put a real one in the place of the stand-in', (t) => {
  t.regex(banner(facts), /^Model +offline-chat-mini, a stand-in .*OPENAI_API_KEY/m)
  const own = banner({ ...facts, paid: true, chatModel: 'm', baseUrl: 'https://user:pass@models.example/v1' })
  t.regex(own, /^Model +m at models\.example$/m)
  t.notRegex(own, /stand-in|pass@/)
})

test('who may register is said when it is not everybody, or when it costs money, and then what each may spend', (t) => {
  t.notRegex(banner(facts), /Registration|Budget/)
  t.regex(banner({ ...facts, registration: 'off' }), /^Registration +closed/m)
  t.regex(banner({ ...facts, registration: 'invite' }), /^Registration +by invitation.*\/users\/invitations/m)
  const paid = banner({ ...facts, paid: true, defaultDailyPico: 5_000_000_000_000n })
  t.regex(paid, /^Registration +open to everybody/m)
  t.regex(paid, /^Budget +5\.00 USD a UTC day/m)
  t.regex(banner({ ...facts, paid: true, defaultDailyPico: 125_000_000_000n }), /^Budget +0\.125 USD/m)
  t.regex(banner({ ...facts, paid: true }), /^Budget +none: users may spend without limit/m)
})
