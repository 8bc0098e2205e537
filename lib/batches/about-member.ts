/**
 * SQLSTATE classes by which PostgreSQL refuses what it was given to write: cardinality (21), data (22), constraints (23),
 * a view's check (44), limits of one statement or value (54), and what a trigger raises (P0). The manual, appendix A.
 */
const refusedRow = /^(21|22|23|44|54|P0)[0-9A-Z]{3}$/

/** Codes of ours that say the same: a broker queue refuses what is bound to it, and has been asked again for a while. */
const refusedMember = new Set(['broker_rejected'])

/** Whether an error is about what was written, and would be the same however well everything else is. */
export function isAboutMember(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    const { code } = at as NodeJS.ErrnoException
    if (typeof code === 'string' && (refusedRow.test(code) || refusedMember.has(code))) return true
  }
  return false
}
