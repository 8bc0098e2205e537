import test from 'ava'
import { contextEndpoints } from '../../api/endpoints.ts'
import { startApi } from '../helpers/api.ts'
import { openBrowser } from '../helpers/browser.ts'
import { contextForFile } from '../helpers/context.ts'
import { gateOver } from '../helpers/gate.ts'

const context = contextForFile(test)
const start = (t: Parameters<typeof startApi>[0], name: string) =>
  startApi(t, {
    place: { ...context().isolation, prefix: `${context().prefix}_${name}` },
    endpoints: contextEndpoints({
      context: context(),
      gate: gateOver(context()),
      awaitJob: async (_asked, job) => ({ job, headers: {} })
    })
  })

test('an administrator gets from the login page to the queues and out again', async (t) => {
  const api = await start(t, 'queues')
  const root = await api.enter('root', 'admin')
  const job = await api.queues[0]?.add('chat_completion', { jobId: 'one' }, { jobId: 'job-of-the-test' })
  const { page, context: browser, elsewhere, complaints } = await openBrowser(t)

  await page.goto(`${api.url}/admin/queues`)
  t.is(new URL(page.url()).pathname, '/admin/login')
  t.is(await page.evaluate('document.activeElement?.id'), 'email')
  await page.getByLabel('E-mail').fill(root.email)
  await page.getByLabel('Password').fill('wrong')
  await page.getByRole('button', { name: 'Log in' }).click()
  t.is(await page.getByRole('alert').innerText(), 'E-mail or password is wrong.')
  t.is(await page.getByLabel('E-mail').inputValue(), root.email)
  t.is(await page.getByLabel('Password').inputValue(), '')
  complaints.length = 0 // the browser reports the 401

  await page.getByLabel('Password').fill(root.password)
  await page.keyboard.press('Enter')
  await page.waitForURL('**/admin/queues')
  await page
    .getByRole('link', { name: /chat_completion/ })
    .first()
    .click()
  await page
    .getByText(job?.id ?? '')
    .first()
    .waitFor()
  for (const name of [/pause/i, /retry/i, /clean/i, /empty/i, /add job/i, /promote/i]) {
    t.is(await page.getByRole('button', { name }).count(), 0, String(name))
  }
  const [cookie] = await browser.cookies(`${api.url}/admin`)
  t.like(cookie, { httpOnly: true, sameSite: 'Strict', path: '/admin' })
  t.deepEqual(await browser.cookies(`${api.url}/api/v1`), [])
  t.is(await page.evaluate('document.cookie'), '')
  // The board asks for web fonts; the policy keeps the page from getting them anywhere but here.
  t.deepEqual(
    complaints.filter((text) => !text.includes('fonts.googleapis.com')),
    []
  )
  t.deepEqual(elsewhere, [])

  await page.goto(`${api.url}/admin/login`)
  await page.getByRole('button', { name: 'Log out' }).click()
  await page.goto(`${api.url}/admin/queues`)
  t.is(new URL(page.url()).pathname, '/admin/login')
  await api.queues[0]?.obliterate({ force: true })
})

test('the documentation shows every route and sends a request, with nothing from elsewhere', async (t) => {
  const api = await start(t, 'docs')
  const { page, elsewhere, complaints } = await openBrowser(t)
  await page.goto(`${api.url}/docs?url=https://evil.example.org/openapi.json`)
  await page.locator('#operations-Service-serviceNameVersionAndLinks').waitFor()
  t.is(new URL(page.url()).pathname, '/docs')
  const paths = await page
    .locator('.opblock-summary-path')
    .evaluateAll((nodes) => nodes.map((node) => node.textContent))
  for (const path of ['/api/v1/auth/register', '/api/v1/chat', '/api/v1/bulk', '/health']) {
    t.true(
      paths.some((text) => text?.replaceAll('\u200b', '') === path),
      path
    )
  }
  t.true(paths.length > 50)

  await page.locator('#operations-Service-serviceNameVersionAndLinks').click()
  await page.getByRole('button', { name: 'Try it out' }).click()
  await page.getByRole('button', { name: 'Execute' }).click()
  await page.locator('.live-responses-table .response-col_status', { hasText: '200' }).waitFor()
  t.deepEqual(complaints, [])
  t.deepEqual(elsewhere, [])
})
