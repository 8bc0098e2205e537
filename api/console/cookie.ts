import type { Request, Response } from 'express'

const name = 'goals_console'
const path = '/admin'

/** The console's token in the request's cookies. */
export function consoleToken(req: Request): string | undefined {
  for (const pair of (req.headers.cookie ?? '').split(';')) {
    const [key, value] = pair.trim().split('=', 2)
    if (key === name && value && /^[\w.-]+$/.test(value)) return value
  }
  return undefined
}

/** Scripts cannot read it, other sites cannot send it, and it goes nowhere but to the console. */
export function setConsoleCookie(
  req: Request,
  res: Response,
  { token, expiresAt }: { token: string; expiresAt: Date }
): void {
  res.cookie(name, token, { httpOnly: true, sameSite: 'strict', secure: req.secure, path, expires: expiresAt })
}

export function clearConsoleCookie(req: Request, res: Response): void {
  res.clearCookie(name, { httpOnly: true, sameSite: 'strict', secure: req.secure, path })
}
