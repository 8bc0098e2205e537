import type { ExecutionContext } from 'ava'
import { type BrowserContext, chromium, type Page } from 'playwright-core'

const quietly = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync'
]

/** A browser among many processes on a busy machine may be slow to show what it was sent. */
const patienceMs = 120_000

export type Visit = {
  page: Page
  context: BrowserContext
  /** addresses of other machines that pages asked for; nothing of it got out */
  elsewhere: string[]
  /** what pages complained of: errors of scripts, refused resources */
  complaints: string[]
}

/** A page of a browser that reaches this machine only. `TEST_CHROMIUM` names the program, else Debian's. */
export async function openBrowser(t: Pick<ExecutionContext, 'teardown'>): Promise<Visit> {
  const executablePath = process.env.TEST_CHROMIUM ?? '/usr/bin/chromium'
  const browser = await chromium.launch({ executablePath, args: quietly })
  t.teardown(() => browser.close())
  const context = await browser.newContext()
  context.setDefaultTimeout(patienceMs)
  const elsewhere: string[] = []
  const complaints: string[] = []
  await context.route('**/*', async (route) => {
    const { hostname } = new URL(route.request().url())
    if (hostname === '127.0.0.1' || hostname === 'localhost') return await route.continue()
    elsewhere.push(route.request().url())
    return await route.abort()
  })
  const page = await context.newPage()
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  return { page, context, elsewhere, complaints }
}
