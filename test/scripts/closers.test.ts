import test from 'ava'
import { createClosers } from '../../scripts/start/closers.ts'

test('closing runs in reverse, goes on past a failure and reports the first', async (t) => {
  const order: number[] = []
  const closers = createClosers()
  closers.add(async () => order.push(1))
  closers.add(() => Promise.reject(new Error('second')))
  closers.add(() => Promise.reject(new Error('third')))
  closers.add(async () => order.push(4))
  await t.throwsAsync(closers.closeAll(), { message: 'third' })
  t.deepEqual(order, [4, 1])
})

test('closing twice at once closes once', async (t) => {
  let closed = 0
  const closers = createClosers()
  closers.add(async () => closed++)
  await Promise.all([closers.closeAll(), closers.closeAll()])
  t.is(closed, 1)
})
