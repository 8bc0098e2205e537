import type { Queue } from 'bullmq'
import { type Request, type RequestHandler, type Response, Router } from 'express'
import { type Actor, isAdmin } from '../../lib/access/actor.ts'
import type { Auth } from '../../lib/auth/index.ts'
import { AppError } from '../../lib/errors/app-error.ts'
import type { Gate } from '../../lib/gate/gate.ts'
import type { Logger } from '../../lib/logger.ts'
import { loginSchema } from '../../lib/schemas/auth.ts'
import { createPace } from '../intake/pace.ts'
import { readBytes } from '../intake/read-bytes.ts'
import { takeOfUser } from '../middleware/address-limit.ts'
import { actorOf, unauthorized } from '../middleware/credentials.ts'
import type { GuessGuard } from '../middleware/guess-guard.ts'
import { toAppError } from '../middleware/problems.ts'
import { addressOf, enforce, requestFacts } from '../middleware/rate-limit.ts'
import { methodNotAllowed, onlyTakes } from '../middleware/wrong-method.ts'
import { queueBoard } from './board.ts'
import { clearConsoleCookie, consoleToken, setConsoleCookie } from './cookie.ts'
import { type LoginPage, loginPage } from './login-page.ts'

type Needs = Pick<Auth, 'authenticator' | 'accounts'> & {
  gate: Gate
  guessGuard: GuessGuard
  queues: Queue[]
  log: Logger
}

const formBytes = 8 * 1024

/**
 * What administrators use in a browser, below `/admin`: a login that sets a cookie, and Bull Board behind it.
 * The cookie is sent by this site's pages only, forms from elsewhere are refused besides, and the board only reads, so
 * nothing can be done in an administrator's name by another page.
 */
export function consoleRoutes({ authenticator, accounts, gate, guessGuard, queues, log }: Needs): Router {
  const router = Router({ caseSensitive: true })

  async function visitor(req: Request): Promise<Actor | undefined> {
    const cookie = consoleToken(req)
    return (cookie && (await authenticator.authenticate(cookie, 'console'))) || (await actorOf(req, authenticator))
  }

  async function payByAddress(req: Request, res: Response) {
    const request = requestFacts(req, { userId: null, action: 'api_call', path: `/admin${req.path}` })
    const subject = { kind: 'address', address: addressOf(req) } as const
    const decision = await gate.admit({ subject, buckets: ['address'], request })
    enforce(res, decision)
    return decision
  }

  /** A token of whoever is known, else of the address. The board asks for a page's parts, and again every few seconds. */
  async function pay(req: Request, res: Response, actor: Actor | undefined): Promise<void> {
    if (actor) await takeOfUser(gate, res, actor)
    else await gate.settle(await payByAddress(req, res))
  }

  const show = (res: Response, status: number, page: LoginPage) =>
    void res.status(status).set('Cache-Control', 'no-store').type('html').send(loginPage(page))

  const route =
    (path: string): RequestHandler =>
    (_req, res, next) => {
      res.locals.route = path
      next()
    }

  router.get('/login', route('/admin/login'), async (req, res) => {
    const actor = await visitor(req)
    await pay(req, res, actor)
    show(res, 200, { signedIn: actor !== undefined && isAdmin(actor) })
  })

  router.post('/login', route('/admin/login'), async (req, res) => {
    const decision = await payByAddress(req, res)
    let email = ''
    try {
      refuseForeignForm(req)
      const form = loginSchema.safeParse(await readForm(req, res))
      email = form.data?.email ?? ''
      const session =
        form.success &&
        (await guessGuard({ req, res, decision, open: true, who: form.data.email }, () =>
          accounts.login(form.data, { ip: addressOf(req), audience: 'console' })
        ))
      if (!session) {
        show(res, 401, { problem: 'E-mail or password is wrong.', email })
        return
      }
      setConsoleCookie(req, res, session)
      res.set('Cache-Control', 'no-store').redirect(303, '/admin/queues')
    } catch (error) {
      const problem = toAppError(error)
      if (problem.status >= 500) throw error
      if (problem.extras.headers) res.set(problem.extras.headers)
      show(res, problem.status, { problem: `${problem.message}.`, email })
    } finally {
      await gate.settle(decision)
    }
  })

  router.post('/logout', route('/admin/logout'), async (req, res) => {
    refuseForeignForm(req)
    const token = consoleToken(req)
    const actor = token === undefined ? undefined : await authenticator.authenticate(token, 'console')
    await pay(req, res, actor)
    if (actor) await accounts.logout(actor)
    clearConsoleCookie(req, res)
    res.redirect(303, '/admin/login')
  })

  const payFirst: RequestHandler = async (req, res, next) => {
    await gate.settle(await payByAddress(req, res))
    next()
  }
  router.all('/login', route('/admin/login'), payFirst, onlyTakes('GET', 'HEAD', 'POST'))
  router.all('/logout', route('/admin/logout'), payFirst, onlyTakes('POST'))

  const onlyAdministrators: RequestHandler = async (req, res, next) => {
    const actor = await visitor(req)
    await pay(req, res, actor)
    if (!actor) {
      if (req.method !== 'GET' || req.accepts(['json', 'html']) !== 'html') throw unauthorized(req)
      res.set('Cache-Control', 'no-store').redirect(303, '/admin/login')
      return
    }
    res.locals.userId = actor.id
    if (!isAdmin(actor)) throw new AppError('forbidden', 'The queue monitor is for administrators')
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      throw methodNotAllowed(['GET', 'HEAD'])
    }
    next()
  }
  router.use(
    '/queues',
    route('/admin/queues'),
    onlyAdministrators,
    queueBoard({ queues, basePath: '/admin/queues', log })
  )
  return router
}

/** Browsers say where a form comes from (Fetch Metadata, or Origin); what sends neither is no browser with cookies. */
function refuseForeignForm(req: Request): void {
  const site = req.get('sec-fetch-site')
  const origin = req.get('origin')
  const own = `${req.protocol}://${req.host}`
  if (site === undefined ? origin !== undefined && origin !== own : site !== 'same-origin' && site !== 'none') {
    throw new AppError('forbidden', 'This form was sent from another site')
  }
}

async function readForm(req: Request, res: Response): Promise<Record<'email' | 'password', string | null>> {
  if (!req.is('application/x-www-form-urlencoded')) {
    throw new AppError('unsupported_media_type', 'Send the form of this page')
  }
  const pieces = await readBytes(req, res, { limitBytes: formBytes, pace: createPace() })
  const form = new URLSearchParams(Buffer.concat(pieces).toString('utf8'))
  return { email: form.get('email'), password: form.get('password') }
}
