import { answerInThread } from '../../../lib/sharing/answer-in-thread.ts'

export type Question = { kind: 'length'; bytes: ArrayBuffer } | { kind: 'throw' } | { kind: 'loop' } | { kind: 'fill' }

answerInThread<Question>((question) => {
  if (question.kind === 'length') return question.bytes.byteLength
  if (question.kind === 'throw') throw Object.assign(new TypeError('no'), { code: 'EXAMPLE' })
  const kept: number[][] = []
  for (;;) if (question.kind === 'fill') kept.push(Array.from({ length: 100_000 }, () => kept.length))
})
