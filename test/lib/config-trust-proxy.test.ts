import test from 'ava'
import { loadConfig } from '../../lib/config.ts'

const trusted = (text: string) => loadConfig({ TRUST_PROXY: text }).trustProxy

test('proxies are named by their number, addresses, ranges or kind', (t) => {
  t.is(trusted('off'), false)
  t.is(trusted('0'), false)
  t.is(trusted('2'), 2)
  t.deepEqual(trusted('10.0.0.0/8, ::1, loopback'), ['10.0.0.0/8', '::1', 'loopback'])
})

test('what names no proxy, or everybody, stops the start', (t) => {
  for (const text of ['true', 'proxy.example.org', '10.0.0.0/33', '::1/129', '10.0.0.1/8/8', '10.0.0.1,', '-1']) {
    t.throws(() => trusted(text), { message: /TRUST_PROXY/ }, text)
  }
})
