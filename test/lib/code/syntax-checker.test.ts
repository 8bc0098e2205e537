import test from 'ava'
import { createSyntaxChecker } from '../../../lib/code/syntax-checker.ts'

const turn = { owner: 'somebody' }
const checker = createSyntaxChecker({ baseMs: 20_000 })
test.after.always(() => checker.close())

const lineOf = async (language: string, source: string) => {
  const verdict = await checker.check(language, source, turn)
  if (!verdict.checked) throw new Error(`not checked: ${verdict.reason}`)
  return verdict.problem?.line
}

const wrong: [language: string, line: number, what: string, source: string][] = [
  ['javascript', 3, 'a missing bracket', 'const a = 1\nconst b = (2\nconst c = 3\n'],
  ['javascript', 1, 'an unterminated string', 'const a = "x\n'],
  ['javascript', 2, 'a name declared twice', 'let a = 1\nlet a = 2\n'],
  ['typescript', 2, 'a type that does not end', 'type A = {\n  a: string\n\n'],
  ['python', 1, 'a missing colon', 'def f(x)\n    return x\n'],
  ['python', 2, 'a bracket that was never closed', 'x = 1\ny = (2,\nz = 3\n'],
  ['python', 3, 'an unmatched bracket', 'x = 1\n\ny = 2)\n'],
  ['python', 2, 'a missing body', 'if True:\nprint(1)\n'],
  ['python', 3, 'an unexpected indent', 'def f():\n    x = 1\n      y = 2\n'],
  ['python', 4, 'an else that stands nowhere', 'def f(a):\n    if a:\n        x = 1\n      else:\n        x = 2\n'],
  ['python', 2, 'a string without an end', "x = 1\ny = 'abc\nz = 2\n"],
  ['python', 1, 'a statement of Python 2', 'print "hello"\n'],
  ['python', 7, 'an error behind a try block', 'try:\n    x = 1\nexcept ValueError:\n    pass\n\n\nx = = 2\n']
]

for (const [language, line, what, source] of wrong) {
  test(`${language}: ${what} is found in its line`, async (t) => {
    t.is(await lineOf(language, source), line)
  })
}

const right: [language: string, what: string, source: string][] = [
  ['javascript', 'an element', 'export const A = () => <p className="x">{1}</p>\n'],
  ['javascript', 'a return outside of a function', 'if (!x) return 1\n'],
  ['javascript', 'await at the top', 'const x = await fetch("https://example.com")\n'],
  ['typescript', 'a cast with angle brackets', 'const a = <string>b\n'],
  ['typescript', 'elements', 'const A = (p: { a: string }) => <p>{p.a}</p>\n'],
  ['typescript', 'decorated parameters', 'class A { constructor(@Inject() private b: B) {} }\n'],
  ['python', 'nested quotes in an f-string', 'x = f"{a!r:>{w}} {d["k"]}"\n'],
  [
    'python',
    'match and type parameters',
    'def f[T](x: T) -> T:\n    match x:\n        case [a, *_]:\n            return a\n'
  ],
  ['python', 'Windows line ends and tabs', 'def f():\r\n\tif x:\r\n\t\treturn 1\r\n\treturn 2\r\n'],
  ['python', 'one line suites and semicolons', 'if x: y = 1; z = 2\nelse: y = 2\n'],
  ['python', 'comments that do not line up', 'def f():\n    x = 1\n  # here\n        # there\n    return x\n']
]

for (const [language, what, source] of right) {
  test(`${language}: ${what} is fine`, async (t) => {
    t.is(await lineOf(language, source), undefined)
  })
}

test('the syntax of other languages is not checked', async (t) => {
  t.deepEqual(await checker.check('cobol', 'MOVE 1 TO A.', turn), { checked: false, reason: 'language' })
})

test('brackets nested without end stop nothing', async (t) => {
  t.deepEqual(await checker.check('javascript', '('.repeat(250_000), turn), { checked: false, reason: 'unsure' })
  t.is(await lineOf('python', '('.repeat(250_000)), 1)
})

/** Babel takes exponential time for it. */
const hostile = 'f<T>('.repeat(24)

test('a source that keeps the parser busy for ever is given up, and the next is checked', async (t) => {
  // A thread that starts has the same time, which it needs on a busy machine.
  const impatient = createSyntaxChecker({ baseMs: 15_000 })
  t.teardown(() => impatient.close())
  const verdicts = await Promise.all([
    impatient.check('typescript', hostile, turn),
    impatient.check('javascript', 'const a = 1\n', turn)
  ])
  t.deepEqual(verdicts, [
    { checked: false, reason: 'time' },
    { checked: true, problem: undefined }
  ])
})

test("one person's hostile sources keep nobody else waiting", async (t) => {
  const busy = createSyntaxChecker({ baseMs: 20_000 })
  const ended: string[] = []
  const check = async (owner: string, source: string) => {
    await busy.check('typescript', source, { owner })
    ended.push(owner)
  }
  const attacks = Array.from({ length: 38 }, () => check('attacker', hostile))
  await check('other', 'const a = 1\n')
  t.deepEqual(ended, ['other'])
  await busy.close()
  await Promise.all(attacks)
})

test('whoever was given up last goes after everybody else who waits', async (t) => {
  const patient = createSyntaxChecker({ baseMs: 5_000 })
  t.teardown(() => patient.close())
  const ended: string[] = []
  const check = async (owner: string, source: string) => {
    await patient.check('typescript', source, { owner })
    ended.push(owner)
  }
  // Two people keep both threads busy, with more to come, before a third asks.
  const attacks = ['A', 'B'].flatMap((owner) => Array.from({ length: 3 }, () => check(owner, hostile)))
  await check('other', 'const a = 1\n')
  t.true(ended.length <= 3, ended.join(' '))
  await patient.close()
  await Promise.all(attacks)
})

test('too many who wait are told to come again', async (t) => {
  const busy = createSyntaxChecker({ baseMs: 60_000 })
  const attacks = Array.from({ length: 1_001 }, () => busy.check('typescript', hostile, { owner: 'attacker' }))
  const refused = await t.throwsAsync(busy.check('typescript', hostile, { owner: 'attacker' }))
  t.like(refused, { code: 'busy', retryable: true, takesAttempt: false })
  await busy.close()
  await Promise.all(attacks)
})

test('closing answers what was still asked', async (t) => {
  const closing = createSyntaxChecker()
  const asked = [closing.check('python', 'x = 1\n', turn), closing.check('python', 'y = 2\n', turn)]
  await closing.close()
  for (const verdict of await Promise.all(asked)) t.deepEqual(verdict, { checked: false, reason: 'failure' })
})
