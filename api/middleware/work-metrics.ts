import { Gauge, type Registry } from 'prom-client'
import type { FailingWork } from '../../lib/store/operations/background-work.ts'
import type { RelayLag } from '../../lib/store/events/relay.ts'

type Sample = { labels: Record<string, string>; value: number }

/** Gauges of one scrape are collected at the same time, and share what they ask for. */
const sharedForMs = 200

export type WorkNeeds = {
  relayLag: () => Promise<RelayLag>
  failingWork: () => Promise<FailingWork[]>
  countDeadLetters: () => Promise<Record<string, number>>
}

/** How the work beside the jobs goes. Read when metrics are asked for; absent while PostgreSQL is away. */
export function measureWork(registry: Registry, { relayLag, failingWork, countDeadLetters }: WorkNeeds): void {
  const lag = shared(relayLag)
  gauge(registry, {
    name: 'goals_relay_lag_events',
    help: 'Events that a sink has not confirmed; sink "placing": that have no position yet',
    labels: ['sink'],
    sample: async () => {
      const { unplaced, sinks } = await lag()
      return [of('placing', unplaced), ...sinks.map(({ sink, behind }) => of(sink, behind))]
    }
  })
  gauge(registry, {
    name: 'goals_relay_lag_seconds',
    help: 'Age of the oldest event that a sink has not confirmed; sink "placing": that has no position yet',
    labels: ['sink'],
    sample: async () => {
      const { unplacedSeconds, sinks } = await lag()
      return [of('placing', unplacedSeconds), ...sinks.map(({ sink, seconds }) => of(sink, seconds))]
    }
  })
  gauge(registry, {
    name: 'goals_relay_failing',
    help: '1 for each sink that fails, by the code of its failure',
    labels: ['sink', 'code'],
    sample: async () =>
      (await lag()).sinks.flatMap(({ sink, failing }) =>
        failing ? [{ labels: { sink, code: failing.code }, value: 1 }] : []
      )
  })
  gauge(registry, {
    name: 'goals_background_work_failing',
    help: '1 for each work beside the jobs that fails or hangs, by the code of its failure',
    labels: ['work', 'code'],
    sample: async () => (await failingWork()).map(({ work, code }) => ({ labels: { work, code }, value: 1 }))
  })
  gauge(registry, {
    name: 'goals_dead_letters',
    help: 'What failed by itself in a shared batch and was put aside, by kind',
    labels: ['kind'],
    sample: async () => Object.entries(await countDeadLetters()).map(([kind, value]) => ({ labels: { kind }, value }))
  })
}

const of = (sink: string, value: number): Sample => ({ labels: { sink }, value })

/** A gauge whose values are found out when it is asked for; none when that fails. */
function gauge(
  registry: Registry,
  { name, help, labels, sample }: { name: string; help: string; labels: string[]; sample: () => Promise<Sample[]> }
): void {
  const made = new Gauge({
    name,
    help,
    labelNames: labels,
    registers: [registry],
    async collect() {
      this.reset()
      for (const { labels: own, value } of await sample().catch(() => [])) this.set(own, value)
    }
  })
  void made
}

function shared<T>(ask: () => Promise<T>): () => Promise<T> {
  let last: { at: number; answer: Promise<T> } | undefined
  return () => {
    const now = performance.now()
    if (!last || now - last.at > sharedForMs) last = { at: now, answer: ask() }
    return last.answer
  }
}
