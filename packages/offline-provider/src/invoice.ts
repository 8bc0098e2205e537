import { offlineCost, usd } from './prices.ts'

/** One physical request to a model, in the order in which they were asked. */
export type InvoiceLine = {
  id: number
  /** RFC 3339, when the request arrived. */
  at: string
  path: string
  model: string | null
  stream: boolean
  /** HTTP status that was sent; 0 when the connection ended before one was. */
  status: number
  promptTokens: number
  /** A part of `promptTokens`. */
  cachedTokens: number
  completionTokens: number
  /** A part of `completionTokens`. */
  reasoningTokens: number
  /** What the tokens cost by the offline price list, in USD with twelve decimals. */
  costUsd: string
  /** The client went away before the answer was complete; what was produced until then is billed. */
  aborted: boolean
  /** The provider broke the connection or left the answer unfinished. */
  cut: boolean
  /** What `x-request-id` says. */
  requestId: string
  /** What the client sent as `x-client-request-id`. */
  clientRequestId: string | null
  /** The manner in which it was served, when it was not the usual one. */
  manner: string | null
  /** The request's `user`. */
  user: string | null
  /** RFC 3339, or null while the request is under way. */
  finishedAt: string | null
}

type Billed = Pick<InvoiceLine, 'promptTokens' | 'cachedTokens' | 'completionTokens' | 'reasoningTokens'>

export type InvoiceTotals = Billed & { requests: number; billedRequests: number; costUsd: string }

export type Invoice = ReturnType<typeof createInvoice>

const costOf = (line: InvoiceLine): bigint => offlineCost(line.model ?? '', line)

/** Keeps the lines in memory. Everything handed out is a copy. */
export function createInvoice(now: () => number) {
  const lines: InvoiceLine[] = []
  let lastId = 0
  return {
    /** Begins a line; it is billed by changing what comes back until `finish` is called. */
    begin(request: Pick<InvoiceLine, 'path' | 'requestId' | 'clientRequestId'>): InvoiceLine {
      lastId += 1
      const line: InvoiceLine = {
        id: lastId,
        at: new Date(now()).toISOString(),
        model: null,
        stream: false,
        status: 0,
        promptTokens: 0,
        cachedTokens: 0,
        completionTokens: 0,
        reasoningTokens: 0,
        costUsd: usd(0n),
        aborted: false,
        cut: false,
        manner: null,
        user: null,
        finishedAt: null,
        ...request
      }
      lines.push(line)
      return line
    },
    finish(line: InvoiceLine): void {
      line.finishedAt ??= new Date(now()).toISOString()
    },
    lines: (): InvoiceLine[] => lines.map((line) => ({ ...line, costUsd: usd(costOf(line)) })),
    totals: (): InvoiceTotals => {
      const totals = {
        requests: lines.length,
        billedRequests: 0,
        promptTokens: 0,
        cachedTokens: 0,
        completionTokens: 0,
        reasoningTokens: 0
      }
      for (const line of lines) {
        if (line.promptTokens + line.completionTokens > 0) totals.billedRequests += 1
        totals.promptTokens += line.promptTokens
        totals.cachedTokens += line.cachedTokens
        totals.completionTokens += line.completionTokens
        totals.reasoningTokens += line.reasoningTokens
      }
      return { ...totals, costUsd: usd(lines.reduce((sum, line) => sum + costOf(line), 0n)) }
    },
    clear(): void {
      lines.length = 0
    }
  }
}
