import { Redis, ReplyError } from 'ioredis'
import test from 'ava'
import { isOutage } from '../../../lib/errors/outage.ts'
import { createKnex } from '../../../lib/store/knex.ts'
import { createIsolation } from '../../helpers/services.ts'
import { createTcpProxy } from '../../helpers/tcp-proxy.ts'

const coded = (code: string, more: object = {}) => Object.assign(new Error('whatever'), { code, ...more })

/** Every error code of PostgreSQL's `errcodes.txt` (15, and what 16 to 18 added): class, those that mean "away", the rest. */
const sqlStates = `
03 | | 000
08 | 000 003 006 001 004 007 | P01
09 | | 000
0A | | 000
0B | | 000
0F | | 000 001
0L | | 000 P01
0P | | 000
0Z | | 000 002
10 | | 608
20 | | 000
21 | | 000
22 | | 000 02E 021 008 012 005 00B 022 015 01E 014 016 01F 01G 018 007 019 00D 025 P06 010 023 013 01B 01W 01X 02H 02G 009 00C 00G 004 002 003 00H 026 001 011 027 024 00F P01 P02 P03 P04 P05 00L 00M 00N 00S 00T 030 031 032 033 034 035 036 037 038 039 03A 03B 03C 03D 03E 03F 03G
23 | | 000 001 502 503 505 514 P01
24 | | 000
25 | 006 P03 P04 | 000 001 002 008 003 004 005 007 P01 P02
26 | | 000
27 | | 000
28 | 000 P01 |
2B | | 000 P01
2D | | 000
2F | | 000 005 002 003 004
34 | | 000
38 | | 000 001 002 003 004
39 | | 000 001 004 P01 P02 P03
3B | | 000 001
3D | 000 |
3F | | 000
40 | 000 001 003 P01 | 002
42 | | 000 601 501 846 803 P20 P19 830 602 622 939 804 P18 P21 P22 809 8C9 703 883 P01 P02 704 701 P03 P04 723 P05 P06 P07 712 710 702 725 P08 P09 P10 611 P11 P12 P13 P14 P15 P16 P17
44 | | 000
53 | 000 100 200 300 400 |
54 | | 000 001 011 023
55 | 000 006 P03 | P02 P04
57 | 000 014 P01 P02 P03 P04 P05 |
58 | 000 030 P01 P02 P03 |
72 | 000 |
F0 | | 000 001
HV | | 000 005 002 010 021 024 007 008 004 006 091 00B 00C 00D 090 00A 009 014 001 00P 00J 00K 00Q 00R 00L 00M 00N
P0 | | 000 001 002 003 004
XX | | 000 001 002`

test('of every SQLSTATE it is known whether it means that the database is away for now', (t) => {
  const codes = (class_: string, list: string) => (list.match(/\S+/g) ?? []).map((code) => class_ + code)
  for (const row of sqlStates.trim().split('\n')) {
    const [class_ = '', away = '', rest = ''] = row.split('|').map((part) => part.trim())
    for (const code of codes(class_, away)) t.true(isOutage(coded(code)), code)
    for (const code of codes(class_, rest)) t.false(isOutage(coded(code)), code)
  }
  // PgBouncer says so of its own servers; of the server itself it is a message that nobody can read.
  t.true(isOutage(coded('08P01', { severity: 'FATAL' })))
  t.false(isOutage(coded('08P01', { severity: 'ERROR' })))
})

test('an error of the database is judged by its code, whatever it quotes', (t) => {
  const quoted = (words: string) =>
    Object.assign(new Error(`insert into t - invalid input: ${words}`), { code: '22P02' })
  t.false(isOutage(quoted('x - Connection terminated unexpectedly')))
  t.false(isOutage(quoted('x - timeout expired')))
})

const redisReplies: [string, boolean][] = [
  ['LOADING Redis is loading the dataset in memory', true],
  ["READONLY You can't write against a read only replica.", true],
  [
    "READONLY You can't write against a read only replica. script: 2bab3b661081db58bd2341920e0ba7cf5dc77b25, on @user_script:1.",
    true
  ],
  ['READONLY Can not run script with write flag on readonly replica', true],
  [
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled",
    true
  ],
  ['MISCONF Errors writing to the AOF file: No space left on device', true],
  ['NOREPLICAS Not enough good replicas to write.', true],
  ["OOM command not allowed when used memory > 'maxmemory'.", true],
  ["OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'", true],
  ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", true],
  ["NOMASTERLINK Can't SYNC while not connected with my master", true],
  ['CLUSTERDOWN Hash slot not served', true],
  ['CLUSTERDOWN The cluster is down and only accepts read commands', true],
  ['TRYAGAIN Multiple keys request during rehashing of slot', true],
  ['BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.', true],
  ['UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)', true],
  ['NOSCRIPT No matching script. Please use EVAL.', true],
  ['NOAUTH Authentication required.', true],
  ['WRONGPASS invalid username-password pair or user is disabled.', true],
  ['DENIED Redis is running in protected mode', true],
  ['ERR max number of clients reached', true],
  ['ERR max number of clients + cluster connections reached', true],
  [
    'ERR Error running script (call to f_2bab3b66): @user_script:1: @user_script: 1: -MISCONF Redis is configured to save RDB snapshots',
    true
  ],
  [
    "ERR Error running script (call to f_2bab3b66): @user_script:7: @user_script: 7: -OOM command not allowed when used memory > 'maxmemory'.",
    true
  ],
  [
    "ERR Error running script (call to f_2bab3b66): @user_script:7: @user_script: 7: -READONLY You can't write against a read only replica. ",
    true
  ],
  ['EXECABORT Transaction discarded because of: MISCONF Errors writing to the AOF file: x', true],
  ['EXECABORT Transaction discarded because of previous errors.', false],
  ["NOPERM this user has no permissions to run the 'set' command", false],
  ['WRONGTYPE Operation against a key holding the wrong kind of value', false],
  ['BUSYGROUP Consumer Group name already exists', false],
  ['BUSYKEY Target key name already exists.', false],
  ["CROSSSLOT Keys in request don't hash to the same slot", false],
  ["NOGROUP No such key 'x' or consumer group 'y'", false],
  ['NOTBUSY No scripts in execution right now.', false],
  ['UNKILLABLE Sorry the script already executed write commands against the dataset.', false],
  ['ERR syntax error', false],
  ['ERR Error running script (call to f_2bab3b66): @user_script:1: -WRONGTYPE Operation against a key', false],
  ["ERR wrong number of arguments for 'set' command", false]
]

test('of every error reply of Redis that we can meet it is known whether it means that Redis is away for now', (t) => {
  for (const [words, away] of redisReplies) t.is(isOutage(new ReplyError(words)), away, words)
  const aborted = (inner: string) =>
    Object.assign(new ReplyError('EXECABORT Transaction discarded because of previous errors.'), {
      previousErrors: [new ReplyError(inner)]
    })
  t.true(isOutage(aborted('NOREPLICAS Not enough good replicas to write.')))
  t.false(isOutage(aborted('ERR syntax error')))
})

test('services that cannot be reached are told by code, name or words, however deep', (t) => {
  for (const code of [
    'ECONNREFUSED',
    'EPIPE',
    'EPROTO',
    'EHOSTDOWN',
    'ENETRESET',
    'EAI_AGAIN',
    'EMFILE',
    'CERT_HAS_EXPIRED'
  ])
    t.true(isOutage(coded(code)), code)
  t.true(isOutage(coded('ENOENT', { syscall: 'connect' })))
  t.false(isOutage(coded('ENOENT', { syscall: 'open' })))
  for (const words of [
    'Connection terminated unexpectedly',
    'select $1 - Connection terminated unexpectedly',
    'Client was closed and is not queryable',
    'timeout exceeded when trying to connect',
    'Connection is closed.',
    'Connection closed: 320 (CONNECTION-FORCED) with message "CONNECTION_FORCED - broker forced connection closure"',
    'Channel closed by server: 541 (INTERNAL-ERROR) with message "INTERNAL_ERROR"',
    'Channel ended, no reply will be forthcoming',
    'Heartbeat timeout'
  ]) {
    t.true(isOutage(new Error(words)), words)
  }
  t.false(isOutage(new Error('Channel closed by server: 406 (PRECONDITION-FAILED) with message "inequivalent arg"')))
  t.true(isOutage(new Error('outer', { cause: new Error('inner', { cause: coded('25006') }) })))
  t.true(isOutage(new AggregateError([new Error('no'), coded('ECONNREFUSED')])))
  t.false(isOutage(new AggregateError([new Error('no'), coded('23505')])))
  const itself: Error = new Error('its own cause')
  itself.cause = itself
  t.false(isOutage(itself))
})

test('a database that falls silent is an outage, and the next query goes over a new connection', async (t) => {
  const place = await createIsolation()
  const proxy = await createTcpProxy(place.databaseUrl)
  const knex = createKnex({ databaseUrl: proxy.url, schema: place.schema, statementMs: 300 })
  t.teardown(async () => {
    await knex.destroy()
    await proxy.close()
    await place.remove()
  })
  await knex.raw('select 1')
  proxy.freeze()
  const silent = await t.throwsAsync(knex.raw('select 1'))
  t.true(isOutage(silent), silent?.message)
  proxy.restore()
  await t.notThrowsAsync(knex.raw('select 1'))
  // One that only takes too long is ended by the server.
  t.like(await t.throwsAsync(knex.raw('select pg_sleep(5)')), { code: '57014' })
})

test('mistakes are no outages', (t) => {
  for (const error of [
    new TypeError('x is undefined'),
    coded('23505'),
    coded('22P02'),
    coded('42P01'),
    'ECONNREFUSED',
    null,
    undefined
  ]) {
    t.false(isOutage(error))
  }
})

test('what knex and ioredis throw when nobody listens is an outage', async (t) => {
  const knex = createKnex({ databaseUrl: 'postgres://nobody@127.0.0.1:1/none', schema: 'public' })
  t.true(isOutage(await t.throwsAsync(knex.raw('select 1'))))
  await knex.destroy()
  const redis = new Redis('redis://127.0.0.1:1', {
    maxRetriesPerRequest: 0,
    lazyConnect: true,
    retryStrategy: () => null
  })
  redis.on('error', () => undefined)
  t.true(isOutage(await t.throwsAsync(redis.get('x'))))
  redis.disconnect()
})

test('a query whose connection is cut, and the one after it, fail as outages', async (t) => {
  const place = await createIsolation()
  t.teardown(place.remove)
  const knex = createKnex({ databaseUrl: place.databaseUrl, schema: place.schema, poolMax: 1 })
  for (let i = 0; i < 20; i++) {
    t.true(isOutage(await t.throwsAsync(knex.raw('select pg_terminate_backend(pg_backend_pid())'))))
    const next = await knex.raw('select 1').then(
      () => undefined,
      (error: unknown) => error
    )
    t.true(next === undefined || isOutage(next))
  }
  await knex.destroy()
})
