import { answerInThread } from '../sharing/answer-in-thread.ts'
import { type Chunkable, createChunker } from './chunker.ts'

/** Entry of a thread that cuts texts into chunks. */
const chunker = createChunker()

answerInThread((input: Chunkable) => chunker.chunk(input), { givesWay: true })
