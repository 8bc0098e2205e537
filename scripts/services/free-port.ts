import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { startError } from './start-error.ts'

type Attempt = { port: number; code?: undefined } | { code: string }

/** Listens for a moment: the port that was had (0 asks for any), or the system's code for why it was not. */
export function tryPort(port: number, host: string): Promise<Attempt> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve({ code: error.code ?? error.message }))
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address()
      const had = typeof address === 'object' && address ? address.port : port
      server.close(() => resolve({ port: had }))
    })
  })
}

/**
 * Below the ports that systems give to outgoing connections (RFC 6335: from 49152; Linux: from 32768): what stops
 * listening on one of these finds it free again.
 */
const steady = { from: 20_000, count: 10_000 }
const tries = 20

/** A port that nobody listens on now, and that no outgoing connection will take. Rejects with a StartError. */
export async function anyPort(host: string): Promise<number> {
  let attempt: Attempt = { code: '' }
  for (let n = 0; n < tries; n++) {
    attempt = await tryPort(steady.from + Math.floor(Math.random() * steady.count), host)
    if (attempt.code === undefined) return attempt.port
    if (attempt.code !== 'EADDRINUSE') break
  }
  throw startError(`no port could be had on ${host} (${attempt.code})`)
}

/** A port on 127.0.0.1 that nobody listens on now; the first of `preferred` that is free, else any. */
export async function freePort(...preferred: number[]): Promise<number> {
  for (const port of preferred) {
    // Whoever ends in this moment may still hold it.
    for (let n = 0; n < 5; n++) {
      if ((await tryPort(port, '127.0.0.1')).code === undefined) return port
      await sleep(100)
    }
  }
  return await anyPort('127.0.0.1')
}

/** A free port, the one kept in `file` when it is still free, so that addresses stay the same between starts. */
export async function rememberedPort(file: string): Promise<number> {
  const kept = Number(await readFile(file, 'utf8').catch(() => ''))
  const port = await freePort(...(Number.isInteger(kept) && kept > 0 && kept < 65_536 ? [kept] : []))
  await writeFile(file, `${port}\n`)
  return port
}
