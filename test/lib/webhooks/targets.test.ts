import { readFile } from 'node:fs/promises'
import test from 'ava'
import { isPublic } from '../../../lib/webhooks/public-address.ts'
import { resolvePublic } from '../../../lib/webhooks/resolve-public.ts'
import { createTargets } from '../../../lib/webhooks/targets.ts'
import { openNameServer } from '../../helpers/name-server.ts'

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
    t.throws(() => targets.checkHost(new URL(`http://${host}/`)), { name: 'TargetError' }, host)
  }
  t.notThrows(() => targets.checkHost(new URL('https://8.8.8.8/')))
  t.notThrows(() => targets.checkHost(new URL('https://example.com/')))
})

test('this machine’s name is seen through, and of no other name is asked where it leads', (t) => {
  const targets = createTargets({ allow: ['localhost:9'], resolve: () => Promise.reject(new Error('asked')) })
  for (const host of ['localhost', 'LOCALHOST.', 'a.localhost', 'localhost:8']) {
    t.throws(() => targets.checkHost(new URL(`http://${host}/`)), { name: 'TargetError' }, host)
  }
  for (const host of ['localhost:9', 'postgres', 'no-such-name.invalid', 'localhost.example.com']) {
    t.notThrows(() => targets.checkHost(new URL(`http://${host}/`)), host)
  }
})

const lookUp = (targets: ReturnType<typeof createTargets>, text: string) =>
  new Promise<string>((done) => {
    const url = new URL(text)
    targets.lookupFor(url)(url.hostname, { all: true }, (error, addresses) =>
      done(error ? ((error as { code?: string }).code ?? error.message) : JSON.stringify(addresses))
    )
  })

test('a name that leads to this machine is unknown where it is resolved, unless its host is allowed', async (t) => {
  // An allowed name is asked elsewhere, and may take its time; one that is not takes all of it.
  const resolve = (allow: string[], text: string) =>
    lookUp(createTargets({ allow, resolve: (name) => resolvePublic(name, { withinMs: 300 }) }), text)
  t.is(await resolve([], 'http://localhost:8080/'), 'ENOTFOUND')
  t.is(await resolve(['localhost:9'], 'http://localhost:8080/'), 'ENOTFOUND')
  t.regex(await resolve(['localhost'], 'http://localhost:8080/'), /127\.0\.0\.1|::1/)
  t.regex(await resolve(['LOCALHOST:8080'], 'http://localhost:8080/'), /127\.0\.0\.1|::1/)
  t.notThrows(() => createTargets({ allow: ['127.0.0.1'] }).checkHost(new URL('http://127.0.0.1:5/')))
  t.notThrows(() => createTargets({ allow: ['::1'] }).checkHost(new URL('http://[::1]:5/')))
})

test('one address that is not public makes a name unknown, and it takes as long as a name that is', async (t) => {
  const server = await openNameServer(t, {
    'public.example.com': { A: ['8.8.8.8'], AAAA: ['2606:4700::1111'] },
    'v4.example.com': { A: ['1.1.1.1'] },
    'inside.example.com': { A: ['10.0.0.1'] },
    'half.example.com': { A: ['8.8.8.8'], AAAA: ['fd00::1'] },
    'silent.example.com': 'silence'
  })
  const withinMs = 5_000
  const timed = async (name: string) => {
    const began = performance.now()
    const addresses = await resolvePublic(name, { servers: [server], withinMs })
    return { addresses: addresses.map(({ address }) => address), tookMs: performance.now() - began }
  }
  t.deepEqual((await timed('public.example.com')).addresses, ['8.8.8.8', '2606:4700::1111'])
  t.deepEqual((await timed('v4.example.com')).addresses, ['1.1.1.1'])
  const refused = ['inside.example.com', 'half.example.com', 'none.example.com', 'silent.example.com']
  await Promise.all(
    refused.map(async (name) => {
      const { addresses, tookMs } = await timed(name)
      t.deepEqual(addresses, [], name)
      t.true(tookMs >= withinMs - 2 && tookMs < withinMs * 10, `${name}: ${tookMs} ms`)
    })
  )
})

test('names whose server is silent keep nobody’s file or password waiting', async (t) => {
  const server = await openNameServer(t, { 'silent.example.com': 'silence' })
  const silent = Promise.all(
    Array.from({ length: 50 }, () => resolvePublic('silent.example.com', { servers: [server], withinMs: 8_000 }))
  )
  let answered = false
  void silent.then(() => {
    answered = true
  })
  await readFile(new URL(import.meta.url))
  t.false(answered, 'a file is read while fifty names are waited for')
  await silent
})
