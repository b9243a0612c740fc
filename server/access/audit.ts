// The audit log: who changed what. An entry is on disk before the client hears that its change was made.

import { cleanLabel } from '#model/clean.ts'
import type { Auditing } from '../store/audit.ts'
import type { Identity } from './roles.ts'

/**
 * The start of an entry. Undefined for a client without an access role: what strangers are refused is counted and logged, and
 * shall not fill the audit log.
 *
 * @param from the address of the client
 */
export function auditing({ name, role, by }: Identity, from: string, action: string): Auditing | undefined {
  if (role === 'none' || by === 'nobody') return undefined
  return { who: cleanLabel(name), role, by, from, action }
}
