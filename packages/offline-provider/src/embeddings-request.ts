import { countTokens, decodeTokens } from '@goals/text'
import { type Json, optionalChoice, optionalNumber, optionalString, requiredModel } from './check.ts'
import { DIMENSIONS } from './embed.ts'
import { badRequest, missingParameter, Refusal } from './errors.ts'
import { contextExceeded, embeddingModel, type ModelInfo } from './models.ts'

export type EmbeddingsCall = {
  model: ModelInfo
  texts: string[]
  promptTokens: number
  dimensions: number
  encoding: 'float' | 'base64'
  user: string | null
}

const MAX_INPUTS = 2_048
const MAX_REQUEST_TOKENS = 300_000

/**
 * An embeddings request in the provider's own terms.
 * @throws {Refusal} 400, 403 or 404 in the API's words
 */
export function readEmbeddingsRequest(body: Json): EmbeddingsCall {
  const model = embeddingModel(requiredModel(body))
  const inputs = readInputs(body['input'])
  const dimensions = optionalNumber(body, 'dimensions', { min: 1, integer: true }) ?? DIMENSIONS
  if (dimensions > DIMENSIONS) {
    throw badRequest(
      `Invalid value for 'dimensions' = ${dimensions}. Must be less than or equal to ${DIMENSIONS}.`,
      'dimensions'
    )
  }
  const encoding = optionalChoice(body, 'encoding_format', ['float', 'base64']) ?? 'float'
  const user = optionalString(body, 'user') ?? null
  let promptTokens = 0
  for (const { tokens } of inputs) {
    if (tokens > model.contextTokens) throw contextExceeded(model, tokens)
    promptTokens += tokens
  }
  if (promptTokens > MAX_REQUEST_TOKENS) {
    const message = `Requested ${promptTokens} tokens, max ${MAX_REQUEST_TOKENS} tokens per request`
    const kind = 'max_tokens_per_request'
    throw new Refusal(400, { message, type: kind, param: null, code: kind })
  }
  return { model, texts: inputs.map(({ text }) => text), promptTokens, dimensions, encoding, user }
}

type Input = { text: string; tokens: number }

function readInputs(value: unknown): Input[] {
  if (value === undefined || value === null) throw missingParameter('input')
  if (typeof value === 'string') return [textInput(value)]
  if (!Array.isArray(value)) throw invalidInput()
  if (value.length === 0) throw invalidInput()
  if (isTokens(value)) return [tokenInput(value)]
  if (value.length > MAX_INPUTS) {
    const message = `Invalid 'input': array too long. Expected an array with maximum length ${MAX_INPUTS}, but got an array with length ${value.length} instead.`
    throw badRequest(message, 'input', 'array_above_max_length')
  }
  if (value.every((entry) => typeof entry === 'string')) return value.map(textInput)
  return value.map((entry) => {
    if (!Array.isArray(entry) || entry.length === 0 || !isTokens(entry)) throw invalidInput()
    return tokenInput(entry)
  })
}

function textInput(text: string): Input {
  if (text === '') throw badRequest("Invalid 'input': input cannot be an empty string.", 'input', 'invalid_value')
  return { text, tokens: countTokens(text) }
}

function tokenInput(tokens: number[]): Input {
  return { text: decodeTokens(tokens.slice(0, 20_000)), tokens: tokens.length }
}

const isTokens = (value: readonly unknown[]): value is number[] =>
  value.every((entry) => typeof entry === 'number' && Number.isInteger(entry) && entry >= 0)

const invalidInput = () =>
  badRequest("'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.")
