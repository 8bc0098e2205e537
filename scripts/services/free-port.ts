import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'

/** Listens for a moment; resolves with the port that was had, or undefined when it is taken. Port 0 means any. */
function tryPort(port: number, host: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : undefined))
    })
  })
}

export async function isPortFree(port: number, host: string): Promise<boolean> {
  return (await tryPort(port, host)) !== undefined
}

/** A port on 127.0.0.1 that nobody listens on now; the first of `preferred` that is free, else any. */
export async function freePort(...preferred: number[]): Promise<number> {
  for (const port of preferred) {
    if (await isPortFree(port, '127.0.0.1')) return port
  }
  const port = await tryPort(0, '127.0.0.1')
  if (port === undefined) throw new Error('no free port on 127.0.0.1')
  return port
}

/** A free port, the one kept in `file` when it is still free, so that addresses stay the same between starts. */
export async function rememberedPort(file: string): Promise<number> {
  const kept = Number(await readFile(file, 'utf8').catch(() => ''))
  const port = await freePort(...(Number.isInteger(kept) && kept > 0 && kept < 65_536 ? [kept] : []))
  await writeFile(file, `${port}\n`)
  return port
}
