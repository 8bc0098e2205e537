import { createHmac, timingSafeEqual } from 'node:crypto'
import { SignJWT } from 'jose'

/** What a token is good for: the API, or only the queue monitor in a browser. */
export type Audience = 'api' | 'console'

export type Tokens = {
  /** @returns a JWT whose id is the row of `sessions` that can revoke it */
  sign(claims: { userId: string; sessionId: string; audience: Audience; expiresAt: Date }): Promise<string>
  /** `undefined` for anything that is not a token of ours for this audience, or is out of date. */
  verify(token: string, audience: Audience): { userId: string; sessionId: string; expiresAt: Date } | undefined
}

const issuer = 'goals'
/** Header, payload and signature in base64url; a signature of HMAC SHA-256 has 43 characters. */
const compact = /^(([\w-]{1,1000})\.([\w-]{1,4000}))\.([\w-]{43})$/
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** JSON Web Tokens, HS256 only (RFC 8725: the algorithm is the verifier's choice, never the token's). */
export function createTokens({ secret }: { secret: string }): Tokens {
  const key = new TextEncoder().encode(secret)
  return {
    async sign({ userId, sessionId, audience, expiresAt }) {
      return await new SignJWT()
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(userId)
        .setJti(sessionId)
        .setIssuedAt()
        .setExpirationTime(expiresAt)
        .sign(key)
    },
    verify(token, audience) {
      const claims = signedClaims(token, secret)
      if (!claims || claims.iss !== issuer || claims.aud !== audience) return undefined
      const { exp, sub, jti } = claims
      if (typeof exp !== 'number' || exp * 1_000 <= Date.now()) return undefined
      if (typeof sub !== 'string' || typeof jti !== 'string' || !uuid.test(sub) || !uuid.test(jti)) return undefined
      return { userId: sub, sessionId: jti, expiresAt: new Date(exp * 1_000) }
    }
  }
}

/**
 * The claims of a compact JWS whose signature is ours (RFC 7515, 5.2). Verified here and not by WebCrypto, which takes a
 * thread's turn for a few microseconds' work.
 */
function signedClaims(token: string, secret: string): Record<string, unknown> | undefined {
  const match = compact.exec(token)
  if (!match) return undefined
  const [, signed = '', header = '', payload = '', signature = ''] = match
  const ours = createHmac('sha256', secret).update(signed).digest('base64url')
  if (!timingSafeEqual(Buffer.from(signature), Buffer.from(ours))) return undefined
  const { alg, crit } = parsePart(header) ?? {}
  // An extension that must be understood (RFC 7515, 4.1.11) is not: there is none.
  return alg === 'HS256' && crit === undefined ? parsePart(payload) : undefined
}

function parsePart(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString())
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined // no token
  }
}
