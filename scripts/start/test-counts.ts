import { stripVTControlCharacters } from 'node:util'

export type TestCounts = { passed: number; failed: number; skipped: number }

/**
 * Counts of an ava run, read from what its reporter prints. With failures its summary leaves out how many tests passed:
 * then their lines are counted. Tests that never ran, errors outside of a test and files without tests count as
 * failures; a run that failed in yet another way, or in which nothing ran, counts as one.
 */
export function countTests(output: string, exitCode: number): TestCounts {
  const lines = stripVTControlCharacters(output).split('\n')
  const matches = (pattern: RegExp) => lines.flatMap((line) => pattern.exec(line) ?? [])
  const last = (pattern: RegExp) => {
    const line = lines.findLast((each) => pattern.test(each))
    return Number(line?.match(pattern)?.[1] ?? 0)
  }
  const remaining = lines.map((line) => Number(/^\s*✘ (\d+) tests? remaining in /.exec(line)?.[1] ?? 0))

  const passed = last(/^\s*(\d+) tests? passed\b/) || matches(/^\s*✔ (?!\[expected fail\])/).length
  const failed =
    last(/^\s*(\d+) tests? failed\b/) +
    last(/^\s*(\d+) hooks? failed\b/) +
    last(/^\s*(\d+) uncaught exceptions?$/) +
    last(/^\s*(\d+) unhandled rejections?$/) +
    last(/^\s*(\d+) tests? remained pending after a timeout$/) +
    remaining.reduce((sum, each) => sum + each, 0) +
    matches(/^\s*✘ No tests found in /).length
  const unexplained = failed === 0 && (exitCode !== 0 || passed === 0)
  return {
    passed,
    failed: unexplained ? 1 : failed,
    skipped: last(/^\s*(\d+) tests? skipped$/) + last(/^\s*(\d+) tests? todo$/)
  }
}
