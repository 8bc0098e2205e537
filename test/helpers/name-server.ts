import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import ipaddr from 'ipaddr.js'

type Zone = Record<string, { A?: string[]; AAAA?: string[] } | 'silence'>

/** RFC 1035, 3.2.2; RFC 3596, 2.1 */
const types: Record<number, 'A' | 'AAAA'> = { 1: 'A', 28: 'AAAA' }

/** A name server on this machine (RFC 1035, 4.1) that knows a few names. @returns its address, as `setServers` takes it */
export async function openNameServer(t: { teardown(close: () => Promise<void>): void }, zone: Zone): Promise<string> {
  const socket = createSocket('udp4')
  socket.on('message', (question, from) => {
    const { name, type, end } = readQuestion(question)
    const known = zone[name]
    if (known === 'silence') return
    const addresses = known?.[type] ?? []
    const answers = addresses.map((address) => {
      const bytes = Buffer.from(ipaddr.parse(address).toByteArray())
      // a pointer to the question's name, type and class, a minute to live, then the address
      const head = Buffer.from([0xc0, 12, 0, type === 'A' ? 1 : 28, 0, 1, 0, 0, 0, 60, 0, bytes.length])
      return Buffer.concat([head, bytes])
    })
    const header = Buffer.alloc(12)
    question.copy(header, 0, 0, 2)
    header.writeUInt16BE(known ? 0x8180 : 0x8183, 2) // an answer; 3: there is no such name
    header.writeUInt16BE(1, 4)
    header.writeUInt16BE(answers.length, 6)
    socket.send(Buffer.concat([header, question.subarray(12, end), ...answers]), from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.teardown(async () => {
    socket.close()
    await once(socket, 'close')
  })
  return `127.0.0.1:${socket.address().port}`
}

function readQuestion(message: Buffer): { name: string; type: 'A' | 'AAAA'; end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length))
    at += length + 1
  }
  return { name: labels.join('.').toLowerCase(), type: types[message.readUInt16BE(at + 1)] ?? 'A', end: at + 5 }
}
