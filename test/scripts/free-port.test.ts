import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { freePort, rememberedPort } from '../../scripts/services/free-port.ts'
import { checkPort } from '../../scripts/start/check-port.ts'
import { eventually } from '../helpers/context.ts'
import { emptyFolder } from '../helpers/folders.ts'

async function takenPort(t: ExecutionContext): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  t.teardown(() => void server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

test('the first preferred port that is free is chosen, else any', async (t) => {
  const taken = await takenPort(t)
  // Found by somebody else's test first, a port is no longer free.
  await eventually(async () => {
    const free = await freePort()
    return (await freePort(taken, free)) === free
  })
  t.not(await freePort(taken), taken)
})

test('a port is the same at the next start while it is free, and another when it is not', async (t) => {
  const file = join(await emptyFolder(t), 'port')
  let port = await rememberedPort(file)
  await eventually(async () => {
    const before = port
    port = await rememberedPort(file)
    return port === before
  })
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  const other = await rememberedPort(file)
  t.not(other, port)
  t.is(Number(await readFile(file, 'utf8')), other)
  server.close()
})

test('a port or address that cannot be had is one message with what to change', async (t) => {
  const port = await takenPort(t)
  const busy = await t.throwsAsync(checkPort(port, '127.0.0.1'), { name: 'StartError' })
  t.is(busy?.message, `Port ${port} on 127.0.0.1 is in use by another process. For example: PORT=${port + 1} npm start`)
  const elsewhere = await t.throwsAsync(checkPort(8000, '203.0.113.1'), { name: 'StartError' })
  t.regex(elsewhere?.message ?? '', /HOST=127\.0\.0\.1 npm start$/)
  await t.notThrowsAsync(checkPort(await freePort(), '127.0.0.1'))
})
