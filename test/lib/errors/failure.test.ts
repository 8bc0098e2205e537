import test from 'ava'
import { describeFailure, NamedFailure } from '../../../lib/errors/failure.ts'

test('a named failure says itself what may be shown, also as the cause of another', (t) => {
  const named = new NamedFailure('broker_rejected', 'a queue refused it', { cause: new Error('secret') })
  t.deepEqual(describeFailure(named), { code: 'broker_rejected', message: 'a queue refused it' })
  t.deepEqual(describeFailure(new Error('secret', { cause: named })), {
    code: 'broker_rejected',
    message: 'a queue refused it'
  })
})

test('of other errors nothing is shown that quotes what people wrote', (t) => {
  const refused = Object.assign(new Error('duplicate key: (ada@example.test)'), {
    code: '23505',
    constraint: 'one_each'
  })
  t.deepEqual(describeFailure(refused), {
    code: 'database_refused',
    message: 'the database refused it (SQLSTATE 23505, constraint one_each)'
  })
  const away = Object.assign(new Error('connect 10.0.0.1'), { code: 'ECONNREFUSED' })
  t.deepEqual(describeFailure(away), { code: 'unavailable', message: 'a service it needs is away for now' })
  t.deepEqual(describeFailure(new RangeError('Invalid string length of ada')), {
    code: 'unexpected',
    message: 'an unexpected error (RangeError)'
  })
  t.deepEqual(describeFailure('ada'), { code: 'unexpected', message: 'an unexpected error' })
})
