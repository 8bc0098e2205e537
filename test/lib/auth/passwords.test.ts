import test from 'ava'
import { createPasswords } from '../../../lib/auth/passwords.ts'
import { createOwnerScope } from '../../../lib/sharing/owner-scope.ts'

const cheap = { log2N: 4, r: 1, p: 1 }

test('a hash names its cost, differs each time and verifies only its password', async (t) => {
  const passwords = createPasswords()
  const hash = await passwords.hash('correct horse battery')
  t.regex(hash, /^scrypt\$15\$8\$3\$[\w-]{22}\$[\w-]{43}$/)
  t.not(await passwords.hash('correct horse battery'), hash)
  t.true(await passwords.verify('correct horse battery', hash))
  t.false(await passwords.verify('correct horse batterY', hash))
})

test('a hash made at another cost still verifies', async (t) => {
  const hash = await createPasswords({ cost: cheap }).hash('correct horse battery')
  t.true(await createPasswords().verify('correct horse battery', hash))
})

test('the same password typed on another keyboard is the same password', async (t) => {
  const passwords = createPasswords({ cost: cheap })
  t.true(await passwords.verify('caf\u00e9 au lait', await passwords.hash('cafe\u0301 au lait')))
})

test('what is no hash of ours matches nobody', async (t) => {
  const passwords = createPasswords({ cost: cheap })
  for (const stored of ['', 'x', 'scrypt$4$1$1$$', '$2b$10$abcdefghijklmnopqrstuv', 'scrypt$4$1$1$AAAA$AAAA']) {
    t.false(await passwords.verify('', stored))
  }
})

test.serial('an unknown person takes as long as a wrong password', async (t) => {
  const passwords = createPasswords({ cost: { log2N: 14, r: 8, p: 2 } })
  const hash = await passwords.hash('correct horse battery')
  const times = { known: [] as number[], unknown: [] as number[] }
  for (let round = 0; round < 12; round++) {
    for (const [name, stored] of [['known', hash] as const, ['unknown', undefined] as const]) {
      const before = process.cpuUsage()
      t.false(await passwords.verify('wrong horse battery', stored))
      const { user, system } = process.cpuUsage(before)
      times[name].push(user + system)
    }
  }
  // The work done is compared, by its least disturbed round: elapsed time depends on what else the machine does.
  const ratio = Math.min(...times.unknown) / Math.min(...times.known)
  t.true(ratio > 0.7 && ratio < 1.4, `ratio ${ratio}`)
})

test('hashes beyond the allowed number wait their turn and all finish', async (t) => {
  const passwords = createPasswords({ cost: cheap, concurrency: 1 })
  const hashes = await Promise.all(Array.from({ length: 40 }, (_, n) => passwords.hash(`password ${n}`)))
  t.is(new Set(hashes).size, 40)
  t.true(await passwords.verify('password 39', hashes[39]))
})

test('a hundred hashes of one owner delay the first of another by one, and more than that are refused', async (t) => {
  const owners = createOwnerScope()
  const passwords = createPasswords({
    cost: { log2N: 12, r: 8, p: 1 },
    concurrency: 1,
    ownerOf: owners.current
  })
  const done: string[] = []
  const flood = Array.from({ length: 100 }, async (_, n) => {
    const outcome = await owners.run('flood', () => passwords.hash(`password ${n}`)).catch((error: Error) => error)
    if (!(outcome instanceof Error)) done.push('flood')
    return outcome
  })
  await owners.run('somebody else', () => passwords.hash('correct horse battery'))
  t.true(done.length <= 2, `${done.length} of the flood came first`)
  const refused = (await Promise.all(flood)).filter((outcome) => outcome instanceof Error)
  t.is(refused.length, 100 - 41)
  for (const error of refused) t.like(error, { code: 'busy', status: 503 } as object)
})

test('a hash that nobody waits for any more is not made', async (t) => {
  const passwords = createPasswords({ cost: cheap, concurrency: 1 })
  const ended = new AbortController()
  const first = passwords.hash('password')
  const second = passwords.hash('password', ended.signal)
  ended.abort(new Error('the credential has ended'))
  await t.throwsAsync(second, { message: 'the credential has ended' })
  t.truthy(await first)
})
