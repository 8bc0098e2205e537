import test from 'ava'
import { createTargets, isPublic } from '../../../lib/webhooks/targets.ts'

test('only public unicast addresses may be reached', (t) => {
  const refused = `0.0.0.0 0.1.2.3 10.0.0.1 127.0.0.1 127.255.255.254 100.64.0.1 100.127.255.255
    169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.8 192.0.2.1 192.168.1.1 198.18.0.1
    198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255
    :: ::1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 ::7f00:1 64:ff9b::a00:1 2002:a00:1:: fe80::1
    fec0::1 fc00::1 fd12:3456::1 ff02::1 2001:db8::1 2001::1 100::1 4000::1 nonsense`.split(/\s+/)
  for (const address of [...refused, '']) t.false(isPublic(address), address)
  for (const address of ['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450::1']) {
    t.true(isPublic(address), address)
  }
})

test('every way of writing an address is seen through', (t) => {
  const targets = createTargets({ allow: [] })
  const hosts = '127.1 2130706433 0x7f000001 017700000001 0 [::1] [::ffff:127.0.0.1] [::ffff:7f00:1] ①②⑦.0.0.1'
  for (const host of hosts.split(' ')) {
    t.throws(() => targets.checkLiteral(new URL(`http://${host}/`)), { name: 'TargetError' }, host)
  }
  t.notThrows(() => targets.checkLiteral(new URL('https://8.8.8.8/')))
  t.notThrows(() => targets.checkLiteral(new URL('https://example.com/')))
})

test('a name that leads to this machine is refused where it is resolved, unless its host is allowed', async (t) => {
  const resolve = (allow: string[], text: string) =>
    new Promise<string>((done) => {
      const url = new URL(text)
      createTargets({ allow }).lookupFor(url)(url.hostname, { all: true }, (error, addresses) =>
        done(error ? ((error as { code?: string }).code ?? error.message) : String((addresses as unknown[]).length > 0))
      )
    })
  t.is(await resolve([], 'http://localhost:8080/'), 'address_refused')
  t.is(await resolve(['localhost:9'], 'http://localhost:8080/'), 'address_refused')
  t.is(await resolve(['localhost'], 'http://localhost:8080/'), 'true')
  t.is(await resolve(['LOCALHOST:8080'], 'http://localhost:8080/'), 'true')
  t.notThrows(() => createTargets({ allow: ['127.0.0.1'] }).checkLiteral(new URL('http://127.0.0.1:5/')))
  t.notThrows(() => createTargets({ allow: ['::1'] }).checkLiteral(new URL('http://[::1]:5/')))
})
