import type { PicoUsd, TokenPrice } from '../money.ts'

/** What the two models in use cost. */
export type Prices = { chat: TokenPrice; embedding: TokenPrice }

/** What embedding so many bytes of text costs at worst, when each is a token. */
export const embeddingCost = ({ embedding }: Prices, bytes: number): PicoUsd => BigInt(bytes) * embedding.input

/** What a chat call with so many bytes of input and so many tokens of output costs at worst. */
export const chatCost = ({ chat }: Prices, inputBytes: number, outputTokens: number): PicoUsd =>
  BigInt(inputBytes) * chat.input + BigInt(outputTokens) * chat.output
