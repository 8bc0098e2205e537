import type { RequestHandler } from 'express'
import { addressGroup } from '../../lib/gate/address.ts'
import type { OwnerScope } from '../../lib/sharing/owner-scope.ts'

/**
 * Whatever a request waits for, it waits for in turn with other addresses. Not with other people: a farm of accounts
 * would have as many turns.
 */
export function asAddress(owners: Pick<OwnerScope, 'run'>): RequestHandler {
  return (req, _res, next) => owners.run(addressGroup(req.ip ?? ''), next)
}
