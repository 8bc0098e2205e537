import type { Stage } from './stage.ts'

/** Gives a user a daily budget, as the administrator of the stage. */
export async function setDailyBudget(
  apiUrl: string,
  { email, password }: Stage['admin'],
  userId: string,
  dailyUsd: number
): Promise<void> {
  const call = async (method: string, path: string, body: object, token?: string) => {
    const headers = { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) }
    const response = await fetch(`${apiUrl}/api/v1${path}`, { method, headers, body: JSON.stringify(body) })
    if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${await response.text()}`)
    return (await response.json()) as { token?: string }
  }
  const { token } = await call('POST', '/auth/token', { email, password })
  await call('PUT', `/admin/budgets/users/${userId}`, { dailyUsd: String(dailyUsd), monthlyUsd: null }, token)
}
