import test from 'ava'
import { createCredentialMemory, type KnownCredential } from '../../../lib/auth/credential-memory.ts'

const ada: KnownCredential = {
  actor: { id: 'ada', role: 'user', credential: { kind: 'session', id: 'session' } },
  endsAt: Number.POSITIVE_INFINITY
}

test('a credential that was revoked, and of which nothing was heard, is good for less than a second more', async (t) => {
  let now = 0
  const memory = createCredentialMemory({ now: () => now })
  let found: KnownCredential | undefined = ada
  const look = async () => {
    const answer = found
    now += 150 // the lookup itself takes its time
    return answer
  }
  t.is(await memory.find('token', look), ada.actor)
  found = undefined
  const revokedAt = now - 150
  while ((await memory.find('token', look)) !== undefined) now += 10
  t.true(now - revokedAt <= 1_000, `${now - revokedAt} ms`)
})

test('what is heard of a revocation holds at once: of one credential, or of all of a person', async (t) => {
  const memory = createCredentialMemory({ now: () => 0 })
  let lookups = 0
  const look = async () => {
    lookups += 1
    return ada
  }
  const expectLookups = async (count: number) => {
    await memory.find('token', look)
    t.is(lookups, count)
  }
  await expectLookups(1)
  await expectLookups(1)
  memory.forget({ userId: 'ada', credentialId: 'another' })
  await expectLookups(1)
  memory.forget({ userId: 'ada', credentialId: 'session' })
  await expectLookups(2)
  memory.forget({ userId: 'bob', credentialId: null })
  await expectLookups(2)
  memory.forget({ userId: 'ada', credentialId: null })
  await expectLookups(3)
})

test('what was revoked while it was looked up is not remembered as good', async (t) => {
  const memory = createCredentialMemory()
  const slow = Promise.withResolvers<KnownCredential>()
  const first = memory.find('token', () => slow.promise)
  memory.forget({ userId: 'ada', credentialId: 'session' })
  const second = memory.find('token', async () => undefined)
  slow.resolve(ada)
  t.is(await first, ada.actor, 'it came before')
  t.is(await second, undefined)
  t.is(await memory.find('token', async () => undefined), undefined)
})

test('only what is good is remembered, and a failure is nobody else’s', async (t) => {
  const memory = createCredentialMemory()
  t.is(await memory.find('token', async () => undefined), undefined)
  t.is(await memory.find('token', async () => ada), ada.actor)
  await t.throwsAsync(
    memory.find('other', () => Promise.reject(new Error('away'))),
    { message: 'away' }
  )
  t.is(await memory.find('other', async () => ada), ada.actor)
})

test('a credential is not good after its own end', async (t) => {
  const memory = createCredentialMemory()
  const ends = { ...ada, endsAt: Date.now() - 1 }
  t.is(await memory.find('token', async () => ends), undefined)
})
