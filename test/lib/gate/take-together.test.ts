import test from 'ava'
import { createGateKeys } from '../../../lib/gate/keys.ts'
import { createTake } from '../../../lib/gate/take-together.ts'
import { facts, gateFor, ownPrefix, user } from '../../helpers/gate.ts'

/** How many commands a client sends from now on. */
function countCommands(redis: { sendCommand: (...all: never[]) => unknown }) {
  const send = redis.sendCommand.bind(redis)
  const sent = { count: 0 }
  redis.sendCommand = (...all) => {
    sent.count += 1
    return send(...all)
  }
  return sent
}

test('what many ask in one turn is one command, and each gets what it would have got alone', async (t) => {
  const { redis, prefix } = await ownPrefix(t)
  const gate = gateFor({ redis, prefix })
  const ask = (id: string) =>
    gate.take({ subject: user(id), buckets: ['chat_completion', 'api_call'], request: facts(id) })
  await ask('first') // the client learns the script
  const sent = countCommands(redis)
  const decisions = await Promise.all(Array.from({ length: 30 }, (_, n) => ask(`user ${n % 2}`)))
  t.is(sent.count, 1)
  t.deepEqual(
    decisions.map(({ ok }) => ok),
    decisions.map((_, n) => n < 20),
    'ten chats each, in the order in which they were asked'
  )
  t.is(new Set(decisions.map(({ id }) => id)).size, 30)
  await gate.close()
})

test('a call that fails leaves the others of its turn alone', async (t) => {
  const { redis, prefix } = await ownPrefix(t)
  const keys = createGateKeys(prefix)
  const take = createTake(redis)
  const call = async (id: string) =>
    await take(
      [...keys.besideSubject(user(id)), keys.bucket(user(id), 'api_call')],
      ['', 'none', '', '', '', '', '', '', '', 10, 60, 'take', 60, 6e8, 6e7, '']
    )
  await redis.hset(keys.bucket(user('broken'), 'api_call'), 'not', 'a bucket')
  const results = await Promise.allSettled(['one', 'broken', 'two'].map(call))
  t.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled']
  )
  t.regex(String((results[1] as PromiseRejectedResult).reason), /WRONGTYPE/)
})
