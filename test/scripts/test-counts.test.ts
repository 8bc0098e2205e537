import test from 'ava'
import { countTests } from '../../scripts/start/test-counts.ts'

test('a run in which all passed is counted from its summary', (t) => {
  const output = '  ✔ one › a (12ms)\n  - [skip] one › b\n  ─\n\n  2 tests passed\n  1 test skipped\n'
  t.deepEqual(countTests(output, 0), { passed: 2, failed: 0, skipped: 1 })
})

test('with failures the lines of what passed are counted, since the summary leaves them out', (t) => {
  const output =
    '\x1b[32m  ✔\x1b[39m a\n  ✘ [fail]: b\n  ✔ c\n  ✘ 2 tests remaining in x\n  ─\n\n  1 hook failed\n  3 tests failed\n'
  t.deepEqual(countTests(output, 1), { passed: 2, failed: 6, skipped: 0 })
})

test('errors outside of tests and files without tests are failures', (t) => {
  const output =
    '  ✔ a\n  ✘ No tests found in y\n  ─\n\n  1 test passed\n  1 uncaught exception\n  2 unhandled rejections\n'
  t.deepEqual(countTests(output, 1), { passed: 1, failed: 4, skipped: 0 })
})

test('a run that failed without saying how, or in which nothing ran, is a failure', (t) => {
  t.deepEqual(countTests('  1 test passed\n', 1), { passed: 1, failed: 1, skipped: 0 })
  t.deepEqual(countTests('', 0), { passed: 0, failed: 1, skipped: 0 })
})
