import { EventEmitter } from 'node:events'
import type { Request, Response } from 'express'
import test from 'ava'
import { createAwaitJob } from '../../api/await-job.ts'
import type { Actor } from '../../lib/access/actor.ts'
import type { Holder } from '../../api/credential-watch.ts'
import { AppError } from '../../lib/errors/app-error.ts'
import type { JobView } from '../../lib/schemas/job.ts'

const actor = { id: 'somebody', role: 'user', credential: { kind: 'session', id: 'session' } } as const
const queued = { id: 'job', status: 'queued' } as JobView
const gone = () => new AppError('not_found', 'There is no such job')

/** A held answer during whose read of the job `meanwhile` happens; `role` may see the job. */
async function read(role: Actor['role'], meanwhile: (holder: Holder) => void): Promise<unknown> {
  let holder: Holder | undefined
  const awaitJob = createAwaitJob({
    waiter: { wait: async () => 'timeout' },
    goingAway: new AbortController().signal,
    watch: { add: (one) => void (holder = one), remove() {} }
  })
  const req = { headers: { prefer: 'wait=20' }, get: () => undefined } as unknown as Request
  const res = new EventEmitter() as unknown as Response
  return await awaitJob({ actor: { ...actor, role: 'admin' }, req, res }, queued, async (asking) => {
    if (asking.role !== role) throw gone()
    meanwhile(holder as Holder)
    await new Promise((resolve) => setImmediate(resolve))
    return queued
  })
}

test('a credential that ends while the job is read is a 401, and a role that ends then a 404', async (t) => {
  await t.throwsAsync(
    read('admin', (holder) => holder.revoked()),
    { instanceOf: AppError, code: 'unauthorized' }
  )
  await t.throwsAsync(
    read('admin', (holder) => holder.roleChanged('user')),
    { instanceOf: AppError, code: 'not_found' }
  )
})

/** A held answer whose job is not there any more when it is read again; `then` is what comes after that was seen. */
async function hold(then: (holder: Holder) => void): Promise<unknown> {
  let holder: Holder | undefined
  const awaitJob = createAwaitJob({
    waiter: { wait: async () => 'ended' },
    goingAway: new AbortController().signal,
    watch: { add: (one) => void (holder = one), remove() {} }
  })
  const req = { headers: { prefer: 'wait=20' }, get: () => undefined } as unknown as Request
  const res = new EventEmitter() as unknown as Response
  return await awaitJob({ actor, req, res }, queued, async () => {
    setImmediate(() => then(holder as Holder))
    throw gone()
  })
}

test('a job that went with its person is a 401, also when the row is seen to be gone first', async (t) => {
  await t.throwsAsync(
    hold((holder) => holder.revoked()),
    { instanceOf: AppError, code: 'unauthorized' }
  )
})

test('a job that is gone for somebody whose credential holds is a 404', async (t) => {
  await t.throwsAsync(
    hold(() => undefined),
    { instanceOf: AppError, code: 'not_found' }
  )
})
