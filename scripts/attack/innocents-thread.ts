import { parentPort } from 'node:worker_threads'
import { newTally, type Tally } from './http.ts'
import { type Comers, createInnocents, type Innocents, type Watch } from './innocents.ts'
import { createPeople } from './people.ts'
import { openReceiver } from './receiver.ts'

/** What the thread of the innocent users is told, and what it says, in this order; `use` and `rest` come many times. */
export type Told = { kind: 'enter'; url: string; comers: Comers } | { kind: 'use' } | { kind: 'rest' }
export type Says =
  | { kind: 'receives'; url: string }
  | { kind: 'entered' }
  | { kind: 'used'; watch: Watch; tally: Tally }

const port = parentPort
if (!port) throw new Error('this file is the entry of a thread')
const say = (message: Says) => port.postMessage(message)

const receiver = await openReceiver({ keepsBodies: true })
const tally = newTally()
let innocents: Innocents | undefined
let stop = new AbortController()

async function enter(url: string, comers: Comers): Promise<void> {
  innocents = await createInnocents(createPeople({ url, tally, name: 'innocent', network: '127.2' }), receiver, comers)
  say({ kind: 'entered' })
}

async function use(): Promise<void> {
  if (!innocents) throw new Error('the innocent users are not there yet')
  stop = new AbortController()
  tally.requests = 0
  tally.statuses.clear()
  tally.broken.length = 0
  const watch = await innocents.use(stop.signal)
  say({ kind: 'used', watch, tally })
}

port.on('message', (told: Told) => {
  if (told.kind === 'enter') void enter(told.url, told.comers)
  else if (told.kind === 'use') void use()
  else stop.abort()
})
say({ kind: 'receives', url: receiver.url })
