import { availableParallelism } from 'node:os'
import { sep } from 'node:path'

/** What takes minutes comes first, so that everything else runs beside it. */
const long = ['e2e/chaos', 'e2e/attack', 'text/linear']
const rank = (file) => {
  const found = long.findIndex((part) => file.includes(['test', ...part.split('/')].join(sep)))
  return found === -1 ? long.length : found
}

export default {
  files: ['test/**/*.test.ts', 'packages/*/test/**/*.test.ts'],
  extensions: ['ts'],
  timeout: '120s',
  workerThreads: false,
  // Many tests wait: for a worker, a service, a clock.
  concurrency: availableParallelism() + 1,
  sortTestFiles: (one, other) => rank(one) - rank(other) || one.localeCompare(other)
}
