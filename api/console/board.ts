import type { Queue } from 'bullmq'
import type { RequestHandler } from 'express'
import type { Logger } from '../../lib/logger.ts'
import { isOutage } from '../../lib/errors/outage.ts'

type Needs = { queues: Queue[]; basePath: string; log: Logger }

/**
 * Bull Board over the queues, for looking only: jobs are retried and cancelled through the API, where the row is.
 * It is loaded by the first who looks.
 */
export function queueBoard(needs: Needs): RequestHandler {
  let loading: Promise<RequestHandler> | undefined
  return async (req, res, next) => {
    loading ??= loadBoard(needs)
    const board = await loading
    await board(req, res, next)
  }
}

async function loadBoard({ queues, basePath, log }: Needs): Promise<RequestHandler> {
  const [{ createBullBoard }, { BullMQAdapter }, { ExpressAdapter }] = await Promise.all([
    import('@bull-board/api'),
    import('@bull-board/api/bullMQAdapter'),
    import('@bull-board/express')
  ])
  const adapter = new ExpressAdapter()
  adapter.setBasePath(basePath)
  createBullBoard({
    queues: queues.map((queue) => new BullMQAdapter(queue, { readOnlyMode: true, allowRetries: false })),
    serverAdapter: adapter,
    options: {
      uiConfig: {
        boardTitle: 'Queues',
        hideDocsLink: true,
        sortQueues: true,
        miscLinks: [{ text: 'Log out', url: '/admin/login' }]
      }
    }
  })
  // Its own handler would show the error's message and stack.
  adapter.setErrorHandler((error) => {
    log.warn({ err: error }, 'the queue monitor could not answer')
    const away = isOutage(error)
    return { status: (away ? 503 : 400) as 500, body: { error: away ? 'Redis is away' : 'This cannot be shown' } }
  })
  const app = adapter.getRouter() as RequestHandler & { disable(setting: string): void }
  app.disable('x-powered-by')
  return app
}
