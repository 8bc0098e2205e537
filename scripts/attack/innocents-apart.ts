import { Worker } from 'node:worker_threads'
import type { Tally } from './http.ts'
import type { Comers, Watch } from './innocents.ts'
import type { Says, Told } from './innocents-thread.ts'

/** Innocent users on a thread of their own: what an attacker's client is busy with must not be counted as their wait. */
export type InnocentsApart = {
  /** where their webhooks are received */
  receiverUrl: string
  /** Registers them. */
  enter(url: string, comers: Comers): Promise<void>
  /** Has them use the platform until the signal, and a little longer, to finish what has begun. */
  use(signal: AbortSignal): Promise<{ watch: Watch; tally: Tally }>
  end(): Promise<void>
}

export async function startInnocents(): Promise<InnocentsApart> {
  const worker = new Worker(new URL('./innocents-thread.ts', import.meta.url))
  const tell = (told: Told) => worker.postMessage(told)

  const hear = <Kind extends Says['kind']>(kind: Kind) =>
    new Promise<Extract<Says, { kind: Kind }>>((resolve, reject) => {
      const heard = (message: Says) => {
        if (message.kind !== kind) return
        worker.off('message', heard)
        worker.off('error', reject)
        resolve(message as Extract<Says, { kind: Kind }>)
      }
      worker.on('message', heard)
      worker.once('error', reject)
    })

  const { url: receiverUrl } = await hear('receives')
  return {
    receiverUrl,
    async enter(url, comers) {
      const entered = hear('entered')
      tell({ kind: 'enter', url, comers })
      await entered
    },
    async use(signal) {
      const used = hear('used')
      tell({ kind: 'use' })
      signal.addEventListener('abort', () => tell({ kind: 'rest' }), { once: true })
      return await used
    },
    async end() {
      await worker.terminate()
    }
  }
}
