import { createHash, timingSafeEqual } from 'node:crypto'
import { type Request, type RequestHandler, type Response, Router } from 'express'
import type { Registry } from 'prom-client'
import { AppError } from '../../lib/errors/app-error.ts'
import type { Health } from '../health/health.ts'
import { bearerToken } from '../middleware/credentials.ts'
import { onlyTakes } from '../middleware/wrong-method.ts'

type Needs = {
  version: string
  health: Health
  registry: Registry
  metricsToken: string | undefined
  /** the limit of everything here but `/health/live`, which decides whether a process is killed */
  limit: RequestHandler
}

const root = {
  name: 'ai-goals-tracker',
  description: 'Learning goals, and every AI action as a durable job',
  links: {
    api: '/api/v1',
    docs: '/docs',
    openapi: '/openapi.json',
    health: '/health',
    metrics: '/metrics',
    queues: '/admin/queues',
    socket: '/ws'
  }
}

/** What monitors and people who look around ask for, at the root. */
export function serviceRoutes({ version, health, registry, metricsToken, limit }: Needs): Router {
  const router = Router()
  const read = (path: string, ...handlers: RequestHandler[]) => {
    router.all(path, (_req, res, next) => {
      res.locals.route = path
      res.set('Cache-Control', 'no-store')
      next()
    })
    router.get(path, ...handlers)
    router.all(path, limit, onlyTakes('GET', 'HEAD'))
  }

  read('/', limit, (_req, res) => {
    res.json({ ...root, version })
  })
  read('/health/live', (_req, res) => {
    res.json({ status: 'ok' })
  })
  read('/health/ready', limit, async (_req, res) => {
    const { status } = await health.check()
    res.status(status === 'down' ? 503 : 200).json({ status: status === 'down' ? 'down' : 'ok' })
  })
  read('/health', limit, async (_req, res) => {
    const { status, ...details } = await health.check()
    const body = { status, version, uptimeSeconds: Math.floor(process.uptime()), ...details }
    if (status === 'down') res.set('Retry-After', '2')
    res.status(status === 'down' ? 503 : 200).json(body)
  })
  read('/metrics', limit, async (req: Request, res: Response) => {
    if (!isLoopback(req) && !hasToken(req, metricsToken)) {
      throw metricsToken
        ? new AppError('unauthorized', 'Send METRICS_TOKEN as a bearer token', {
            headers: { 'WWW-Authenticate': 'Bearer' }
          })
        : new AppError('forbidden', 'Metrics are for this machine: set METRICS_TOKEN to read them from elsewhere')
    }
    res.set('Content-Type', registry.contentType).send(await registry.metrics())
  })
  return router
}

/** Behind a proxy that nobody told us about every client would look like this machine. */
function isLoopback(req: Request): boolean {
  const forwarded = req.headers.forwarded ?? req.headers['x-forwarded-for']
  if (forwarded !== undefined && !req.app.get('trust proxy')) return false
  return /^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/.test(req.ip ?? '')
}

function hasToken(req: Request, expected: string | undefined): boolean {
  const sent = bearerToken(req)
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return expected !== undefined && sent !== undefined && timingSafeEqual(digest(sent), digest(expected))
}
