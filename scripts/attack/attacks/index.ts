import type { Attack } from '../attack.ts'
import { access } from './access.ts'
import { batches } from './batches.ts'
import { bodies } from './bodies.ts'
import { accounts, refusals, revoked } from './limits.ts'
import { bypasses, injections, targets } from './requests.ts'
import { backlog, connections, deliveries, names, passwords, validations } from './shares.ts'
import { texts } from './texts.ts'
import { tokens } from './tokens.ts'

/** In the order in which they are carried out. */
export const attacks: Attack[] = [
  access,
  tokens,
  targets,
  injections,
  bypasses,
  bodies,
  texts,
  batches,
  deliveries,
  validations,
  passwords,
  names,
  connections,
  backlog,
  accounts,
  refusals,
  revoked
]
