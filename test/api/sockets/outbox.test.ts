import test from 'ava'
import type { WebSocket } from 'ws'
import { createOutbox } from '../../../api/sockets/outbox.ts'

/** A socket whose reader takes what it was sent when the test says so. */
function fakeSocket() {
  const waiting: { bytes: number; taken: () => void }[] = []
  const socket = {
    OPEN: 1,
    readyState: 1,
    bufferedAmount: 0,
    send(text: string, taken: () => void) {
      socket.bufferedAmount += text.length
      waiting.push({ bytes: text.length, taken })
    }
  }
  const take = () => {
    const next = waiting.shift()
    socket.bufferedAmount -= next?.bytes ?? 0
    next?.taken()
  }
  return { socket: socket as unknown as WebSocket, take }
}

/** Nothing else of this thread runs. */
const stall = (ms: number) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

test('a reader that took while this process itself was busy keeps its connection', async (t) => {
  const { socket, take } = fakeSocket()
  let closed = false
  const outbox = createOutbox(socket, 10, () => {
    closed = true
  })
  outbox.send('more than ten bytes')
  outbox.send('and more of them')
  // From here on, what arrives meanwhile is heard of after the timers that have run out.
  await new Promise((resolve) => setImmediate(resolve))
  stall(1_100)
  setImmediate(take)
  await new Promise((resolve) => setTimeout(resolve, 200))
  t.false(closed)
  outbox.close()
})

test('one that takes nothing loses it', async (t) => {
  const { socket } = fakeSocket()
  await new Promise<void>((closed) => createOutbox(socket, 10, closed).send('more than ten bytes'))
  t.pass()
})
