import test from 'ava'
import { createProgress } from '../../scripts/start/progress.ts'

function output(isTTY: boolean) {
  const written: string[] = []
  return { isTTY, columns: 80, written, write: (text: string) => written.push(text) > 0 }
}

function clock() {
  let now = 0
  return { now: () => now, advance: (ms: number) => (now += ms) }
}

test('without a terminal a step is a line at its start and one with its time at its end', async (t) => {
  const to = output(false)
  const { now, advance } = clock()
  const { step } = createProgress(to, now)
  const result = await step('migrate', async (say) => {
    advance(1_530)
    say('3 migrations')
    return 3
  })
  t.is(result, 3)
  t.deepEqual(to.written, ['… migrate\n', '✓ migrate  1.5 s  3 migrations\n'])
})

test('a step that fails is marked, and its error goes on', async (t) => {
  const to = output(false)
  const { step } = createProgress(to, clock().now)
  await t.throwsAsync(
    step('migrate', () => Promise.reject(new Error('no'))),
    { message: 'no' }
  )
  t.is(to.written.at(-1), '✗ migrate  0.0 s\n')
})

test('on a terminal what runs stays below what is printed', async (t) => {
  const to = output(true)
  const { step, print } = createProgress(to, clock().now)
  await step('migrate', async () => {
    print('the API is back')
    print('again')
  })
  const text = to.written.join('')
  t.true(text.includes('the API is back\n⠋ migrate  0.0 s\n\x1b[1A\x1b[0Jagain\n⠋ migrate'), JSON.stringify(text))
})
