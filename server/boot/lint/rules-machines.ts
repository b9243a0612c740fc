// What can be wrong with the machines of a data directory: in their fields, and that no two are the same.

import type { Machine } from '#model/machine.ts'
import { canonicalUuid } from '#model/uuid.ts'
import { checkObject } from '../../inventory/object-check.ts'
import type { Document } from './document.ts'
import type { Findings } from './findings.ts'

/** Checks one file; the machine in it, if it is one. */
export function machineOf(document: Document<unknown>, findings: Findings): Machine | undefined {
  const { faults, good } = checkObject('machine', document.object)
  for (const { pointer, detail } of faults) {
    const path = pointer.split('/').slice(1)
    const place = document.at(...path.map(step => (/^\d+$/.test(step) ? Number(step) : step)))
    findings.error('PL-2002', place, detail, 'fix it; as it is, the file is left out')
  }
  return good?.kind === 'machine' ? good.object : undefined
}

/** What only one machine can have. */
export function twinMachineRules(documents: readonly Document<Machine>[], findings: Findings): void {
  const owners = new Map<string, string>()
  for (const document of documents) {
    const { macs, uuid, address } = document.object
    const own = [
      ...macs.map((mac, at) => ({ key: `MAC ${mac}`, path: ['macs', at] as const })),
      { key: `address ${address}`, path: ['address'] as const },
      ...(uuid === undefined ? [] : [{ key: `UUID ${canonicalUuid(uuid)}`, path: ['uuid'] as const }]),
    ]
    for (const { key, path } of own) {
      const owner = owners.get(key)
      if (owner === undefined) owners.set(key, document.file)
      else if (owner !== document.file) {
        findings.error(
          'PL-2015',
          document.at(...path),
          `${owner} has the ${key} too`,
          'leave it to one of them',
        )
      }
    }
  }
}
