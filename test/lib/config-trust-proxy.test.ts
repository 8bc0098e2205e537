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

test('a range so wide that strangers are in it, or more hops than there are, stops the start', (t) => {
  const wide = `0.0.0.0/0 0.0.0.0/1 128.0.0.0/1 1.2.3.4/7 ::/0 ::/1 2000::/3 2a00::/12 ::ffff:0.0.0.0/96
    ::ffff:0:0/97 ::ffff:10.0.0.0/100 fc00::/6 11 1000000`
  for (const text of wide.split(/\s+/)) {
    t.throws(() => trusted(text), { message: /TRUST_PROXY .*(trusts anyone)/ }, text)
    t.throws(() => trusted(`10.0.0.1, ${text}`), { message: /TRUST_PROXY/ }, text)
  }
  const fine = '10.0.0.0/8 172.16.0.0/12 fd00::/8 fc00::/7 fe80::/10 2400:cb00::/32 ::ffff:10.0.0.0/104 ::1'
  for (const text of fine.split(' ')) t.deepEqual(trusted(text), [text])
})
