import test from 'ava'
import { contextForFile } from '../../helpers/context.ts'
import { compareWithInvoice, makeMixedCalls } from '../../helpers/mixed-calls.ts'

const context = contextForFile(test)

test('over many mixed calls the ledger and the provider’s invoice agree line by line', async (t) => {
  const lines = await makeMixedCalls(context(), { jobs: 40 })
  const { problems, states, requests, neverSent } = await compareWithInvoice(context().knex, lines)
  t.deepEqual(problems, [])
  t.true(requests > 300 && states.settled > 0 && states.estimated > 0 && states.unknown > 0, JSON.stringify(states))
  t.log(`${requests} requests: ${JSON.stringify(states)}, ${neverSent} never sent`)
})
