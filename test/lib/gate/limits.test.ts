import test from 'ava'
import { addressGroup } from '../../../lib/gate/address.ts'
import { bucketCapacity, defaultLimits, mergeLimits, rateLimitsSchema } from '../../../lib/gate/limits.ts'

test('capacities are those of the table', (t) => {
  t.deepEqual(
    Object.entries(defaultLimits).map(([name, limit]) => [name, bucketCapacity(limit)]),
    [
      ['api_call', 150],
      ['embedding_generation', 24],
      ['chat_completion', 10],
      ['code_validation', 39],
      ['rag_search', 75],
      ['bulk_create', 5],
      ['address', 60],
      ['auth', 30],
      ['login_failed', 10],
      ['address_ai', 600]
    ]
  )
  t.is(bucketCapacity({ limitPerMinute: 10, burst: 1.1 }), 11)
  t.is(bucketCapacity({ limitPerMinute: 1, burst: 0.1 }), 1)
})

test('configured numbers replace those of the table and leave the others', (t) => {
  const changes = rateLimitsSchema.parse({
    chat_completion: { limitPerMinute: 20 },
    auth: { limitPerMinute: 5, burst: 2 },
    bulk_create: { burst: 3 },
    rag_search: 7
  })
  const merged = mergeLimits(defaultLimits, changes)
  t.deepEqual(merged.chat_completion, { limitPerMinute: 20, burst: 1 })
  t.deepEqual(merged.auth, { limitPerMinute: 5, burst: 2 })
  t.deepEqual(merged.bulk_create, { limitPerMinute: 5, burst: 3 })
  t.deepEqual(merged.rag_search, { limitPerMinute: 7, burst: 1.5 })
  t.deepEqual(merged.api_call, defaultLimits.api_call)
})

test('limits that the script could not keep, and names there are not, are refused', (t) => {
  for (const bad of [
    { chat: { burst: 1 } },
    { auth: { limitPerMinute: 0 } },
    { auth: { limitPerMinute: 2e6 } },
    { auth: { burst: 0 } },
    { auth: 0 },
    { auth: {} },
    { auth: { perMinute: 3 } }
  ]) {
    t.false(rateLimitsSchema.safeParse(bad).success, JSON.stringify(bad))
  }
})

test('an IPv4 address counts for itself, an IPv6 address for its network', (t) => {
  t.is(addressGroup('192.0.2.1'), '192.0.2.1')
  t.is(addressGroup('::ffff:192.0.2.1'), '192.0.2.1')
  t.is(addressGroup('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64')
  t.is(addressGroup('2001:0DB8:0001:0002::'), '2001:db8:1:2::/64')
  t.is(addressGroup('2001:db8::6'), '2001:db8:0:0::/64')
  t.is(addressGroup('fe80::1%eth0'), 'fe80:0:0:0::/64')
  t.is(addressGroup('::1'), '0:0:0:0::/64')
  t.is(addressGroup('64:ff9b::192.0.2.33'), '64:ff9b:0:0::/64')
  t.is(addressGroup(''), 'unknown')
})
