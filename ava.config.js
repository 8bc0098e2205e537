import { availableParallelism } from 'node:os'
import { sep } from 'node:path'

/** What takes longest comes first, so that both the waits of some and the work of others fill the processors to the end. */
const long = [
  'e2e/chaos',
  'text/linear',
  'gate/take.property',
  'e2e/attack',
  'processors/chat-completion',
  'agents/named-records',
  'lib/admin',
  'e2e/rolling-restart',
  'e2e/budget',
  'e2e/',
  'api/rubbish',
  'api/outages',
  'scripts/doctor',
  'scripts/load',
  'lib/rag',
  'lib/models/manners'
]
const patterns = ['test/**/*.test.ts', 'packages/*/test/**/*.test.ts']
const direction = process.env.TEST_ORDER === 'reverse' ? -1 : 1
const rank = (file) => {
  const found = long.findIndex((part) => file.includes(['test', ...part.split('/')].join(sep)))
  return found === -1 ? long.length : found
}

export default {
  files: process.env.TEST_FILES?.split('\n') ?? patterns,
  extensions: ['ts'],
  timeout: '300s',
  workerThreads: false,
  // Many tests wait: for a worker, a service, a clock.
  concurrency: availableParallelism() + 1,
  sortTestFiles: (one, other) => direction * (rank(one) - rank(other) || one.localeCompare(other))
}
