import test from 'ava'
import { checkReachable } from '../../scripts/start/check-reachable.ts'
import { serviceUrls } from '../helpers/services.ts'

const step = <T>(_title: string, work: (say: (detail: string) => void) => Promise<T>) => work(() => undefined)

test('services that answer pass', async (t) => {
  await t.notThrowsAsync(checkReachable(serviceUrls(), step))
})

test('those that do not answer, or not to us, are all named in one message without their passwords', async (t) => {
  const wrong = (url: string) => url.replace(/:[^:@/]*@/, ':wrong-secret@')
  const { redisUrl, rabbitmqUrl } = serviceUrls()
  const given = {
    databaseUrl: 'postgres://me:wrong-secret@127.0.0.1:1/db',
    redisUrl: wrong(redisUrl),
    rabbitmqUrl: wrong(rabbitmqUrl)
  }
  const error = await t.throwsAsync(checkReachable(given, step, 0), { name: 'StartError' })
  const [database, redis, rabbitmq] = (error?.message ?? '').split('\n')
  t.regex(database ?? '', /^DATABASE_URL \(127\.0\.0\.1:1\/db\) cannot be used: .*ECONNREFUSED/)
  t.regex(redis ?? '', /^REDIS_URL \(127\.0\.0\.1:\d+\/0\) cannot be used: .*(WRONGPASS|password)/i)
  t.regex(rabbitmq ?? '', /^RABBITMQ_URL \(127\.0\.0\.1:\d+\) cannot be used: .*(ACCESS_REFUSED|refused)/i)
  t.notRegex(error?.message ?? '', /wrong-secret/)
})

test('a broker that is switched off is not looked for', async (t) => {
  await t.notThrowsAsync(checkReachable({ rabbitmqUrl: 'off' }, step, 0))
})
