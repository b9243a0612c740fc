// What is wrong with a config, where, and how a person reads it.

import type { Place } from '#model/fault.ts'
import { type Node, offsetOf, pathText, type Path, placeAt } from './tree.ts'

/** Every kind of warning, with what to do about it. */
export const REMEDIES = {
  'unknown-key': 'fix its name, or remove it',
  'repeated-key': 'keep one of them',
  'decimal-mode': 'write the mode with a leading zero: 0755, not 755',
  'special-bits': 'set the bits in a unit, or use spec 3.6.0 (fcos 1.7.0) or later',
  'reserved-label':
    'give it the number of the image: boot 3, root 4, EFI-SYSTEM 2, BIOS-BOOT and PowerPC-PReP-boot 1',
  'reused-by-label': 'give it a number, or set wipe_table: true',
  'root-constrained': 'give root a size_mib, or each other partition of the disk a start_mib',
  'root-too-small': 'give root 8192 MiB or more',
  'mirror-without-layout': 'add boot_device.layout: x86_64, aarch64 or ppc64le',
  'inner-version': 'write the config inside in the spec of the config around it, or check it by itself',
  'no-install-section': 'add an [Install] section with WantedBy= or RequiredBy=, or remove enabled: true',
  'owner-of-hard-link': 'give the owner to the file that the link leads to',
  'partitions-overwritten': 'name a partition of the disk (/dev/disk/by-partlabel/NAME) in place of the disk',
  'implicit-wipe': 'set wipe_filesystem: true, or remove wipe_table: true',
  'insecure-proxy': 'use an https: URL',
} as const

export type WarningKind = keyof typeof REMEDIES

/** One thing that a rule has to say. An error makes the config useless to a machine, a warning does not. */
export type Finding = {
  readonly path: Path
  readonly message: string
  /** The offset of what it is about, where the path alone does not say it: of a key that is there twice. */
  readonly at?: number
} & ({ readonly severity: 'error' } | { readonly severity: 'warning'; readonly kind: WarningKind })

/** Takes what rules find; no message means nothing was found. */
export type Report = {
  readonly error: (path: Path, message: string | undefined) => void
  readonly warning: (kind: WarningKind, path: Path, message: string | undefined) => void
}

/** How many errors, and how many warnings, are told of one config: the place of each is looked for in its text. */
const MOST = 1000

/** A report that adds to `findings`, up to 1,000 of each severity. */
export function reportTo(findings: Finding[]): Report {
  const told = { error: 0, warning: 0 }
  const add = (finding: Finding) => {
    if ((told[finding.severity] += 1) <= MOST) findings.push(finding)
  }
  return {
    error: (path, message) => {
      if (message !== undefined) add({ severity: 'error', path, message })
    },
    warning: (kind, path, message) => {
      if (message !== undefined) add({ severity: 'warning', kind, path, message })
    },
  }
}

/** A finding with its position in the text. */
export type PlacedFinding = DistributiveOmit<Finding, 'at'> & Place

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never

/** The finding with the position of what it is about in the text that `root` was read from. */
export function placedFinding({ at, ...finding }: Finding, root: Node, text: string): PlacedFinding {
  return { ...finding, ...placeAt(text, at ?? offsetOf(root, finding.path)) }
}

/** For example `line 8, column 17: storage.files[0].path: the path is relative`. */
export function findingText({ line, column, path, message }: PlacedFinding): string {
  const where = path.length === 0 ? '' : `${pathText(path)}: `
  return `line ${line}, column ${column}: ${where}${message}`
}

/** The errors of a list as one sentence, the first few in full. */
export function errorsText(findings: readonly PlacedFinding[]): string {
  const errors = findings.filter(({ severity }) => severity === 'error').map(findingText)
  const shown = errors.slice(0, SHOWN).join('; ')
  return errors.length > SHOWN ? `${shown}; and ${errors.length - SHOWN} more` : shown
}

const SHOWN = 5
