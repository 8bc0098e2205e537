/**
 * A provider: `fetch` answers in the process, `listen` serves HTTP, `settings`, `fail` and `script` decide what happens,
 * `invoice` says what it charged for.
 */
export { createOfflineProvider, type OfflineProvider, type OfflineProviderOptions } from './src/provider.ts'
export { offlineModels } from './src/models.ts'
export { offlinePrices } from './src/prices.ts'
export type { InvoiceLine } from './src/invoice.ts'

/** What can be made to happen: faults, answers in the manner of other servers, and completions decided beforehand. */
export { type Fault, seededRandom } from './src/faults.ts'
export { type MannerName, mannerNames, manners } from './src/manners/manners.ts'
export type { Message } from './src/chat-types.ts'
export type { ScriptedCompletion } from './src/scripts.ts'

/** For threads that answer long requests: what they are asked, how they answer, and what is said when they are late. */
export { type Computed, compute, type Question } from './src/compute.ts'
export { tooComplex } from './src/computing.ts'
