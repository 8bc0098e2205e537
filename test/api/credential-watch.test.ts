import { EventEmitter } from 'node:events'
import { mock } from 'node:test'
import test from 'ava'
import type { Redis } from 'ioredis'
import { createCredentialWatch } from '../../api/credential-watch.ts'
import { type Revocation, revokedChannel } from '../../lib/auth/revocations.ts'
import type { CredentialsInForce } from '../../lib/store/people/credentials-in-force.ts'
import { createLogger } from '../../lib/logger.ts'

const prefix = 'test'
const actor = { id: 'somebody', role: 'user' as const, credential: { kind: 'session' as const, id: 'credential' } }

/** A watch whose timers run when the test says so, over a table of credentials that the test keeps. */
function stage(t: { teardown: (end: () => Promise<void>) => void }) {
  mock.timers.enable({ apis: ['setInterval'] })
  const inForce = new Map([['credential', 'user' as 'user' | 'admin']])
  let looks = 0
  let answer = Promise.resolve()
  const forgotten: Revocation[] = []
  const lookUp = async () => {
    looks++
    const found = new Map(inForce) // as it is when the query begins
    await answer
    return found
  }
  const subscriber = Object.assign(new EventEmitter(), { subscribe: async () => 1 })
  const watch = createCredentialWatch({
    subscriber: subscriber as unknown as Redis,
    prefix,
    inForce: lookUp as CredentialsInForce,
    forget: (revocation) => forgotten.push(revocation),
    log: createLogger({ level: 'silent', name: 'test' })
  })
  watch.start()
  t.teardown(async () => {
    await watch.stop()
    mock.timers.reset()
  })
  const heard: string[] = []
  watch.add({ actor, revoked: () => heard.push('revoked'), roleChanged: (role) => heard.push(role) })
  return {
    inForce,
    heard,
    forgotten,
    looks: () => looks,
    holdAnswers(until: Promise<void>) {
      answer = until
    },
    publish: (message = '{}') => subscriber.emit('message', revokedChannel(prefix), message)
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

test.serial('a revocation that is published ends a credential at once, without waiting for any clock', async (t) => {
  const { inForce, heard, publish } = stage(t)
  inForce.clear()
  publish()
  await settled()
  t.deepEqual(heard, ['revoked'])
})

test.serial('what requests remember of a credential is forgotten when its revocation is published', (t) => {
  const { forgotten, publish } = stage(t)
  publish('no message of ours')
  publish('{"userId":"somebody","credentialId":null}')
  publish('{"userId":"somebody","credentialId":"credential"}')
  t.deepEqual(forgotten, [
    { userId: 'somebody', credentialId: null },
    { userId: 'somebody', credentialId: 'credential' }
  ])
})

test.serial('one that nobody publishes is found within a second, and so is a role that changed', async (t) => {
  const { inForce, heard } = stage(t)
  inForce.set('credential', 'admin')
  mock.timers.tick(500)
  await settled()
  t.deepEqual(heard, ['admin'])
  inForce.clear()
  mock.timers.tick(500)
  await settled()
  t.deepEqual(heard, ['admin', 'revoked'])
})

test.serial('what is published while a look is under way is looked at after it', async (t) => {
  const { inForce, heard, looks, holdAnswers, publish } = stage(t)
  const { promise, resolve } = Promise.withResolvers<void>()
  holdAnswers(promise)
  publish()
  await settled()
  t.is(looks(), 1)
  inForce.clear()
  publish()
  resolve()
  await settled()
  t.is(looks(), 2)
  t.deepEqual(heard, ['revoked'])
})
