import { readFileSync } from 'node:fs'
import test from 'ava'
import { createSyntaxChecker } from '../../../lib/code/syntax-checker.ts'

const checker = createSyntaxChecker({ baseMs: 60_000 })
test.after.always(() => checker.close())

const verdicts = (language: string, sources: string[]) =>
  Promise.all(
    sources.map(async (source) => ({ source, verdict: await checker.check(language, source, { owner: 'x' }) }))
  )

/** Sources one below the other, `---` between them. */
const table = (file: string) =>
  readFileSync(new URL(`./syntax/${file}.txt`, import.meta.url), 'utf8')
    .replace(/\n$/, '')
    .split('\n---\n')
    .map((source) => `${source}\n`)

for (const [language, extension] of [
  ['python', 'py'],
  ['javascript', 'js'],
  ['typescript', 'ts']
] as const) {
  test(`${language}: nothing that the language allows is called an error`, async (t) => {
    const valid = table(`valid.${extension}`)
    t.true(valid.length >= 40)
    const failed = (await verdicts(language, valid)).filter(({ verdict }) => verdict.checked && verdict.problem)
    t.deepEqual(failed, [])
  })

  test(`${language}: what no version of the language allows is an error, without a model`, async (t) => {
    const broken = table(`broken.${extension}`)
    t.true(broken.length >= 30)
    const passed = (await verdicts(language, broken)).filter(({ verdict }) => !verdict.checked || !verdict.problem)
    t.deepEqual(passed, [])
  })
}
