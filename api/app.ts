import type { Queue } from 'bullmq'
import express, { type Express, type RequestHandler } from 'express'
import type { Auth } from '../lib/auth/index.ts'
import type { Config } from '../lib/config.ts'
import { notFound } from '../lib/errors/app-error.ts'
import type { Gate } from '../lib/gate/gate.ts'
import type { Logger } from '../lib/logger.ts'
import type { OwnerScope } from '../lib/sharing/owner-scope.ts'
import type { FailingWork } from '../lib/store/operations/background-work.ts'
import type { RelayLag } from '../lib/store/events/relay.ts'
import { consoleRoutes } from './console/console.ts'
import type { CredentialWatch } from './credential-watch.ts'
import type { Endpoint } from './endpoint.ts'
import type { Health } from './health/health.ts'
import type { BodyReader } from './intake/body-reader.ts'
import { unreadRest } from './intake/unread-rest.ts'
import { addressLimit } from './middleware/address-limit.ts'
import { asAddress } from './middleware/as-address.ts'
import { createGuessGuard } from './middleware/guess-guard.ts'
import { createMetrics } from './middleware/metrics.ts'
import { problemHandler } from './middleware/problems.ts'
import { requestId } from './middleware/request-id.ts'
import { requestLog } from './middleware/request-log.ts'
import { crossOrigin, securityHeaders } from './middleware/security.ts'
import { mountEndpoints } from './mount.ts'
import { openAiErrors } from './openai/errors.ts'
import { openAiBasePath } from './openai/openai.ts'
import { openApiDocument } from './openapi/document.ts'
import { authEndpoints } from './routes/auth.ts'
import { docsRoutes } from './routes/docs.ts'
import { invitationEndpoints } from './routes/invitations.ts'
import { serviceRoutes } from './routes/service.ts'
import { userEndpoints } from './routes/users.ts'

export type AppNeeds = {
  config: Pick<Config, 'corsOrigins' | 'trustProxy' | 'metricsToken'>
  log: Logger
  version: string
  auth: Auth
  gate: Gate
  /** tells when the credential of a request ends before its answer */
  watch: Pick<CredentialWatch, 'add' | 'remove'>
  bodies: Pick<BodyReader, 'read'>
  /** what a request shares with others (a connection to the database) it shares as its address */
  owners: Pick<OwnerScope, 'run'>
  health: Health
  /** shown in the queue monitor and counted for metrics */
  queues: Queue[]
  /** how the work beside the jobs goes, for metrics */
  relayLag: () => Promise<RelayLag>
  failingWork: () => Promise<FailingWork[]>
  countDeadLetters: () => Promise<Record<string, number>>
  /** every resource's endpoints but those of credentials and users, which are made here */
  endpoints: Endpoint[]
  /** those of OpenAI's wire format */
  openAi: Endpoint[]
}

const apiBasePath = '/api/v1'

/** The HTTP side as an Express app, in the order in which a request meets its parts. Never listens. */
export function createApp({
  config,
  log,
  version,
  auth,
  gate,
  watch,
  bodies,
  owners,
  health,
  queues,
  endpoints,
  openAi,
  ...work
}: AppNeeds): Express {
  const guessGuard = createGuessGuard({ gate })
  const all = [
    ...authEndpoints({ ...auth, guessGuard }),
    ...userEndpoints({ ...auth, guessGuard }),
    ...invitationEndpoints(auth),
    ...endpoints
  ]
  const metrics = createMetrics({ queues, ...work })
  const limit = addressLimit({ gate })

  const app = express()
  app.disable('x-powered-by').disable('etag').set('query parser', 'simple').set('trust proxy', config.trustProxy)

  app.use(
    requestId(),
    requestLog({ log }),
    metrics.observe,
    unreadRest(),
    securityHeaders(),
    ...crossOrigin(config.corsOrigins),
    asAddress(owners)
  )
  const served = { authenticator: auth.authenticator, gate, watch, bodies }
  app.use(apiBasePath, mountEndpoints({ endpoints: all, basePath: apiBasePath, ...served }))
  app.use(
    openAiBasePath,
    mountEndpoints({ endpoints: openAi, basePath: openAiBasePath, ...served }),
    openAiErrors({ log })
  )
  app.use('/admin', consoleRoutes({ ...auth, gate, guessGuard, queues, log }))
  app.use(
    serviceRoutes({ version, health, registry: metrics.registry, metricsToken: config.metricsToken, limit }),
    docsRoutes({ document: () => openApiDocument({ endpoints: all, basePath: apiBasePath, openAi, version }), limit })
  )
  app.use(limit, nothingHere)
  app.use(problemHandler({ log }))
  return app
}

const nothingHere: RequestHandler = () => {
  throw notFound('This path')
}
