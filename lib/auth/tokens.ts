import { errors, jwtVerify, SignJWT } from 'jose'

/** What a token is good for: the API, or only the queue monitor in a browser. */
export type Audience = 'api' | 'console'

export type Tokens = {
  /** @returns a JWT whose id is the row of `sessions` that can revoke it */
  sign(claims: { userId: string; sessionId: string; audience: Audience; expiresAt: Date }): Promise<string>
  /** `undefined` for anything that is not a token of ours for this audience, or is out of date. */
  verify(token: string, audience: Audience): Promise<{ userId: string; sessionId: string } | undefined>
}

const issuer = 'goals'
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
    async verify(token, audience) {
      try {
        const { payload } = await jwtVerify(token, key, {
          algorithms: ['HS256'],
          issuer,
          audience,
          requiredClaims: ['exp', 'sub', 'jti']
        })
        const { sub, jti } = payload
        return sub && jti && uuid.test(sub) && uuid.test(jti) ? { userId: sub, sessionId: jti } : undefined
      } catch (error) {
        if (error instanceof errors.JOSEError || error instanceof TypeError) return undefined
        throw error
      }
    }
  }
}
