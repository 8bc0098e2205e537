import { type RequestHandler, Router } from 'express'
import { onlyTakes } from '../middleware/wrong-method.ts'

const options = {
  customSiteTitle: 'Goals API',
  customCss: '',
  // Set here, the page's own `?url=` cannot name another document.
  swaggerUrl: '/openapi.json',
  swaggerOptions: { displayRequestDuration: true, deepLinking: true }
}

const keptForADay: RequestHandler = (_req, res, next) => {
  res.set('Cache-Control', 'public, max-age=86400')
  next()
}

/** The page and its parts. Most processes are never asked for them, so they are loaded by the first who asks. */
async function loadPage(): Promise<{ page: string; parts: RequestHandler }> {
  const { default: swaggerUi } = await import('swagger-ui-express')
  const parts = Router()
  parts.use(...swaggerUi.serveFiles(undefined, options))
  // The page looks for its parts beside its own address, which may end with a slash or not.
  return { page: swaggerUi.generateHTML(undefined, options).replaceAll('="./', '="/docs/'), parts }
}

/**
 * `GET /openapi.json`, and `GET /docs`: Swagger UI from this machine, nothing loaded from elsewhere.
 * @param document is called once, by the first who asks for it
 */
export function docsRoutes({
  document,
  limit
}: {
  document: () => Record<string, unknown>
  limit: RequestHandler
}): Router {
  const router = Router()
  let text: string | undefined
  let loading: ReturnType<typeof loadPage> | undefined
  const load = () => (loading ??= loadPage())

  router.use(['/docs', '/openapi.json'], (req, res, next) => {
    res.locals.route = req.baseUrl
    next()
  })
  router.get('/openapi.json', limit, (_req, res) => {
    text ??= JSON.stringify(document())
    res.type('json').send(text)
  })
  router.get('/docs', limit, async (_req, res) => {
    res.type('html').send((await load()).page)
  })
  router.all(['/docs', '/openapi.json'], limit, onlyTakes('GET', 'HEAD'))
  // A browser that has them does not ask again: a page costs its address one token and not seven.
  router.use('/docs', limit, keptForADay, async (req, res, next) => {
    const { parts } = await load()
    await parts(req, res, next)
  })
  return router
}
