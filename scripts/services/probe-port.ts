import { connect } from 'node:net'

/**
 * Sends the bytes to a port of this machine and reads until the expected piece arrives. Resolves with all that came,
 * or with undefined when the connection ends, fails, or has not brought it within the time.
 */
export function probePort(
  port: number,
  send: string | Buffer,
  expected: string,
  timeoutMs = 2_000
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    let received = ''
    const end = (answer: string | undefined) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(timeoutMs, () => end(undefined))
    socket.once('connect', () => socket.write(send))
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      if (received.includes(expected)) end(received)
    })
    socket.once('error', () => end(undefined))
    socket.once('close', () => end(undefined))
  })
}
