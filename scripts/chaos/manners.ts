import { setTimeout as delay } from 'node:timers/promises'
import { type Fault, type InvoiceLine, type MannerName, mannerNames, manners } from '@goals/offline-provider'
import type { Blow } from './faults.ts'

const lastsMs = 8_000
/** Requests that are served in another manner, of those that could be. */
const struckShare = 0.4
/** They keep the machine that the storm runs on busy by themselves; tests show that they are borne. */
const tooHeavy = new Set<MannerName>(['endless-nothing', 'packed-blanks'])

const chat = '/chat/completions'
const embeddings = '/embeddings'

function placesOf(name: MannerName): string[] {
  const { embeddings: ofVectors, whole, stream, draft, request, reply } = manners[name]
  return [...(ofVectors ? [embeddings] : []), ...((whole ?? stream ?? draft ?? request ?? reply) ? [chat] : [])]
}

/** Each manner, and with each way of asking the same chance that it strikes. */
function faults(random: () => number): Fault[] {
  const all = mannerNames
    .filter((name) => !tooHeavy.has(name))
    .flatMap((name) => placesOf(name).map((path) => ({ name, path, at: random() })))
    .toSorted((a, b) => a.at - b.at)
  return [chat, embeddings].flatMap((path) => {
    const ofPath = all.filter((one) => one.path === path)
    return ofPath.map(
      ({ name }): Fault => ({
        kind: 'manner',
        name,
        path,
        times: null,
        probability: struckShare / ofPath.length,
        streams: random() < 0.7
      })
    )
  })
}

/** The model provider answers as compatible servers are known to do, each request in a manner that the seed chooses. */
export const otherManners: Blow = {
  name: 'provider in other manners',
  async strike({ provider }, { random, share }) {
    provider.settings.set({ faults: faults(random), seed: Math.floor(random() * 1e9) })
    await delay(lastsMs * share)
    provider.settings.set({ faults: [] })
    return {}
  }
}

/** Whether an answer said what it took, so that it can be settled to the digit. */
export function tells({ manner, path }: Pick<InvoiceLine, 'manner' | 'path'>): boolean {
  const name = mannerNames.find((known) => known === manner)
  return name === undefined || manners[name].tells || !placesOf(name).some((place) => path.includes(place))
}
