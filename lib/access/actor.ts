/** Who makes a request, and by which credential: what authentication leaves behind and every service takes. */
export type Actor = {
  id: string
  role: 'user' | 'admin'
  credential: { kind: 'session' | 'api_key' | 'console'; id: string }
}

export const isAdmin = (actor: Pick<Actor, 'role'>): boolean => actor.role === 'admin'
