import { appendFile, writeFile } from 'node:fs/promises'
import type { Step } from '../services/steps.ts'
import { explain } from './report.ts'
import type { Supervisor } from './supervisor.ts'

/** A line of the notes that whoever asked for the restart follows. The last one has `ok`. */
export type RestartNote = { at: string; text: string; ok?: boolean }

/**
 * Replaces what runs by new processes of the code and packages that are there now: migrates, then starts each beside its
 * predecessor and ends that one in order. The first failure ends it; what ran before goes on.
 * Those who ask while one is under way share it.
 * @param notes file that gets a RestartNote a line
 */
export function createRollingRestart({
  migrate,
  parts,
  step,
  notes
}: {
  /** brings the database up to date; resolves with what to tell of it */
  migrate: () => Promise<string>
  /** in the order in which they are replaced */
  parts: { title: string; supervisor: Pick<Supervisor, 'replace'> }[]
  step: Step
  notes: string
}): () => Promise<void> {
  let underWay: Promise<void> | undefined
  // Where nothing can be written, nobody can follow; the restart goes on.
  const note = async (line: Omit<RestartNote, 'at'>) =>
    await appendFile(notes, `${JSON.stringify({ at: new Date().toISOString(), ...line })}\n`).catch(() => undefined)

  async function run(): Promise<void> {
    await writeFile(notes, '', { mode: 0o600 }).catch(() => undefined)
    try {
      await note({ text: await step('migrate the database', migrate) })
      for (const { title, supervisor } of parts) {
        const orderly = await step(`replace the ${title}`, supervisor.replace)
        await note({ text: `replaced the ${title}${orderly ? '' : '; the old process had to be killed'}` })
      }
      await note({ text: 'done', ok: true })
    } catch (error) {
      await note({ text: `${explain(error)}\nWhat ran before goes on.`, ok: false })
    }
  }

  return async () => {
    underWay ??= run().finally(() => {
      underWay = undefined
    })
    await underWay
  }
}
