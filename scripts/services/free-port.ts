import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
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

/** A port on 127.0.0.1 that nobody listens on now; the first of `preferred` that is free, else any. */
export async function freePort(...preferred: number[]): Promise<number> {
  for (const port of preferred) {
    if ((await tryPort(port, '127.0.0.1')).code === undefined) return port
  }
  const attempt = await tryPort(0, '127.0.0.1')
  if (attempt.code !== undefined) throw startError(`no port could be had on 127.0.0.1 (${attempt.code})`)
  return attempt.port
}

/** A free port, the one kept in `file` when it is still free, so that addresses stay the same between starts. */
export async function rememberedPort(file: string): Promise<number> {
  const kept = Number(await readFile(file, 'utf8').catch(() => ''))
  const port = await freePort(...(Number.isInteger(kept) && kept > 0 && kept < 65_536 ? [kept] : []))
  await writeFile(file, `${port}\n`)
  return port
}
