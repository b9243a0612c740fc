// The `trust` of a site file: what machines must show before they get their bundles.

import type { ApprovalPolicy, MachineTrust } from '#model/machine.ts'
import type { Path, YamlReader } from './document.ts'
import { choiceOf } from './read-fields.ts'
import { SITE_KEYS } from './site-keys.ts'

const LEVELS = ['L1', 'L2', 'L3'] as const
const APPROVALS = ['operator', 'first-boot'] as const
const REBOOTS = ['same-key', 'approve', 'auto'] as const
const CONDITIONS = ['racks', 'ports', 'serials'] as const

const LEVEL_REMEDY = 'L1: the wire is trusted; L2: sealed to an approved key; L3: a TPM vouches for the key'
const APPROVE_REMEDY =
  'operator: someone decides on each first key; first-boot: the first key is trusted; or conditions: { racks: [a] }'
const REBOOT_REMEDY =
  'same-key: it must show its pinned key; approve: an operator opens the boot; auto: it may, with any key'
const DEADLINE_REMEDY = 'write minutes or hours, for example  deadline: 60m  or  deadline: 8h'
const LONGEST_MINUTES = 7 * 24 * 60

const at = (key: string): Path => ['trust', key]

/** Reads `trust`; what the file leaves out is L2, approved by an operator. */
export function readTrust(reader: YamlReader): MachineTrust {
  if (reader.has(['trust'])) reader.expectKeys(['trust'], Object.keys(SITE_KEYS.trust.keys))
  const level = choiceOf(reader, at('level'), LEVELS, LEVEL_REMEDY) ?? 'L2'
  const approve = reader.isMap(at('approve'))
    ? readConditions(reader, at('approve'))
    : (choiceOf(reader, at('approve'), APPROVALS, APPROVE_REMEDY) ?? 'operator')
  const reboot =
    choiceOf(reader, at('reboot'), REBOOTS, REBOOT_REMEDY) ?? (level === 'L3' ? 'same-key' : 'approve')
  if (level === 'L1' && reboot === 'same-key') {
    const remedy = 'write  level: L2  to have keys approved, or choose  reboot: approve'
    reader.complain('PL-1004', at('reboot'), 'no key is pinned at L1', remedy)
  }
  if (level === 'L1' && reader.has(at('approve'))) {
    const remedy = 'leave it out, or write  level: L2'
    reader.complain('PL-1004', at('approve'), 'no key is approved at L1', remedy)
  }
  return { level, approve, reboot, deadlineMinutes: readDeadline(reader, at('deadline')) }
}

function readConditions(reader: YamlReader, path: Path): ApprovalPolicy {
  reader.expectKeys(path, CONDITIONS)
  const given = CONDITIONS.filter(key => reader.has([...path, key]))
  if (given.length === 0) reader.complain('PL-1003', path, 'no condition', APPROVE_REMEDY)
  return Object.fromEntries(
    given.map(key => [key, readList(reader, [...path, key], `write it as  ${key}: [one, other]`)]),
  )
}

/** A list of at least one text, none of them empty. */
function readList(reader: YamlReader, path: Path, remedy: string): string[] {
  const before = reader.problems
  const texts = reader.texts(path, remedy)
  if (texts.length === 0 && reader.problems === before) reader.complain('PL-1004', path, 'is empty', remedy)
  for (const [index, text] of texts.entries())
    if (text === '' && reader.problems === before)
      reader.complain('PL-1004', [...path, index], 'an empty text, which nothing has', remedy)
  return texts
}

function readDeadline(reader: YamlReader, path: Path): number {
  const text = reader.text(path) ?? '60m'
  const [, number = '0', unit] = /^(\d{1,5})([mh])$/.exec(text) ?? []
  const minutes = Number(number) * (unit === 'h' ? 60 : 1)
  if (minutes >= 1 && minutes <= LONGEST_MINUTES) return minutes
  reader.complain('PL-1004', path, `"${text}" is not a time from 1m to 168h`, DEADLINE_REMEDY)
  return 60
}
