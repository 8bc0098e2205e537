import { type RequestHandler, Router } from 'express'
import swaggerUi from 'swagger-ui-express'
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

/** `GET /openapi.json`, and `GET /docs`: Swagger UI from this machine, nothing loaded from elsewhere. */
export function docsRoutes({ document, limit }: { document: Record<string, unknown>; limit: RequestHandler }): Router {
  const router = Router()
  const text = JSON.stringify(document)
  // The page looks for its parts beside its own address, which may end with a slash or not.
  const page = swaggerUi.generateHTML(undefined, options).replaceAll('="./', '="/docs/')

  router.use(['/docs', '/openapi.json'], (req, res, next) => {
    res.locals.route = req.baseUrl
    next()
  })
  router.get('/openapi.json', limit, (_req, res) => {
    res.type('json').send(text)
  })
  router.get('/docs', limit, (_req, res) => {
    res.type('html').send(page)
  })
  router.all(['/docs', '/openapi.json'], limit, onlyTakes('GET', 'HEAD'))
  // A browser that has them does not ask again: a page costs its address one token and not seven.
  router.use('/docs', limit, keptForADay, ...swaggerUi.serveFiles(undefined, options))
  return router
}
