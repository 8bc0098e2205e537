import { answerInThread } from '../../sharing/answer-in-thread.ts'
import { compute } from './compute.ts'

/** Entry of a thread that computes answers. */
answerInThread(compute, { givesWay: true })
