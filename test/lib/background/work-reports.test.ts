import test from 'ava'
import { createWorkReports } from '../../../lib/background/work-reports.ts'
import { NamedFailure } from '../../../lib/errors/failure.ts'
import { createBackgroundWorkStore } from '../../../lib/store/operations/background-work.ts'
import { repeat } from '../../../lib/time/repeat.ts'
import { contextForFile, eventually } from '../../helpers/context.ts'

const context = contextForFile(test)

test.serial(
  'work that fails is shown to every process with its reason, and no longer once it works or its worker stops',
  async (t) => {
    const { knex, log } = context()
    const store = createBackgroundWorkStore({ knex })
    const reports = createWorkReports({ store, worker: 'one', log })
    reports.start()
    let broken = true
    const work = async () => {
      if (broken) throw new NamedFailure('no_paper', 'it ran out of paper')
    }
    const repeated = repeat({ name: 'printing', everyMs: 10, work, report: reports.of, log })
    const quiet = repeat({ name: 'reading', everyMs: 10, work: async () => {}, report: reports.of, log })
    const failing = await eventually(async () => {
      const found = await store.failing()
      return found.length > 0 && found
    })
    t.like(failing, [{ work: 'printing', code: 'no_paper', message: 'it ran out of paper' }])
    broken = false
    await eventually(async () => (await store.failing()).length === 0)
    broken = true
    await eventually(async () => (await store.failing()).length === 1)
    await repeated.stop()
    await quiet.stop()
    await reports.stop()
    t.deepEqual(await store.failing(), [])
    t.deepEqual(await knex('background_work').select('work'), [])
  }
)

test.serial('what a worker said that is not heard of any more is not believed', async (t) => {
  const { knex } = context()
  const store = createBackgroundWorkStore({ knex })
  const failing = { code: 'no_paper', message: 'it ran out of paper', sinceMs: 5_000 }
  await store.save('two', [{ work: 'printing', succeededMs: undefined, failing }])
  t.like(await store.failing(), [{ work: 'printing' }])
  await knex('background_work')
    .where({ worker: 'two' })
    .update({ updated_at: knex.raw(`now() - interval '1 minute'`) })
  t.deepEqual(await store.failing(), [])
})
