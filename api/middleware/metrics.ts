import type { Queue } from 'bullmq'
import type { RequestHandler } from 'express'
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { countJobs } from '../health/probes.ts'
import { measureWork, type WorkNeeds } from './work-metrics.ts'

/** Metrics of one API process, in a registry of its own. */
export function createMetrics({ queues, ...work }: WorkNeeds & { queues: Queue[] }): {
  observe: RequestHandler
  registry: Registry
} {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const durations = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the request to the end of its answer, by route pattern',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [registry]
  })
  const depth = new Gauge({
    name: 'queue_jobs',
    help: 'Jobs in each queue by state; absent while Redis is away',
    labelNames: ['queue', 'state'] as const,
    registers: [registry],
    async collect() {
      this.reset()
      const counts = await countJobs(queues).catch(() => ({}))
      for (const [queue, states] of Object.entries(counts)) {
        for (const [state, count] of Object.entries(states)) this.set({ queue, state }, Number(count))
      }
    }
  })
  void depth
  measureWork(registry, work)

  // To find a series by its labels takes the registry longer than to count in it.
  const series = new Map<string, Histogram.Internal<string>>()
  function seriesOf(method: string, route: string, status: number): Histogram.Internal<string> {
    const key = `${method} ${route} ${status}`
    const known = series.get(key)
    if (known) return known
    const found = durations.labels(method, route, String(status))
    series.set(key, found)
    return found
  }

  return {
    registry,
    observe(req, res, next) {
      const from = performance.now()
      res.once('close', () => {
        // Only patterns become labels: what a client makes up must not make a series of its own.
        const route = (res.locals.route as string | undefined) ?? 'none'
        const method = methods.has(req.method) ? req.method : 'other'
        seriesOf(method, route, res.statusCode).observe((performance.now() - from) / 1_000)
      })
      next()
    }
  }
}

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
