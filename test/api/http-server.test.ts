import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { createApiServer } from '../../api/http-server.ts'
import { eventually } from '../helpers/context.ts'

async function serve(t: ExecutionContext, options: Partial<Parameters<typeof createApiServer>[1]>) {
  const server = createApiServer((_req, res) => res.end('served'), { keepAliveMs: 5_000, ...options })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const sockets: Socket[] = []
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const open = async () => {
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    socket.on('error', () => {})
    await once(socket, 'connect')
    return socket
  }
  /** whether a request on a connection of its own is answered */
  const answers = async () => {
    const socket = await open()
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    await once(socket, 'close')
    return text.includes('served')
  }
  return { server, open, answers }
}

test('an address that has all its connections gets no further one until one ends', async (t) => {
  const { server, open, answers } = await serve(t, { connectionsOfAddress: 3 })
  const idle = [await open(), await open(), await open()]
  await eventually(async () => (await connectionsOf(server)) === 3)
  t.false(await answers())
  idle[0]?.destroy()
  await eventually(answers)
  t.pass()
})

test('the connections of a proxy are those of many, and not bounded', async (t) => {
  const { open, answers } = await serve(t, { connectionsOfAddress: 1, isProxy: (address) => address === '127.0.0.1' })
  await open()
  await open()
  t.true(await answers())
})

test('connections on which nothing is asked, or nothing read, are not kept', async (t) => {
  const { server } = await serve(t, {})
  t.true(server.headersTimeout <= 20_000 && server.headersTimeout > 0)
  t.true(server.requestTimeout <= 120_000 && server.requestTimeout > 0)
  t.true(server.timeout <= 130_000 && server.timeout > 0)
})

function connectionsOf(server: ReturnType<typeof createApiServer>): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)))
  })
}
