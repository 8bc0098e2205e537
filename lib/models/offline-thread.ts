import { compute } from '@goals/offline-provider'
import { answerInThread } from '../sharing/answer-in-thread.ts'

/** Entry of a thread that computes answers of the offline provider. */
answerInThread(compute, { givesWay: true })
