// Of the keys of a machine's encrypted disks: which are kept, which is that of the system that runs, and which are handed out.

import {
  confirmedIn,
  isGrantOf,
  type ChangingRecord,
  type DiskKey,
  type Install,
  type MachineRecord,
} from './machine-records.ts'

/** Keys kept of a machine: a boot that is cut off leaves one. More are kept while the installs that they are of are known. */
const KEYS_KEPT = 24

/**
 * The keys that stay. None goes by its age alone while the install that made it is known, confirmed or not, since anyone who boots in the
 * machine's name can have newer ones made. Of the others, those of boots that anyone may have begun go first, then the oldest.
 */
export function keptOf(keys: readonly DiskKey[], record: MachineRecord): readonly DiskKey[] {
  const { installs } = record.disk()
  const rank = ({ boot }: DiskKey) => {
    const known = record.boot(boot)
    return known === undefined || known.isElsewhere === true ? 0 : known.proven ? 2 : 1
  }
  const others = keys
    .filter(key => !isNeeded(key, keys, installs))
    .toSorted((a, b) => rank(a) - rank(b) || a.at - b.at)
  const dropped = others.slice(0, Math.max(0, keys.length - KEYS_KEPT))
  return keys.filter(key => !dropped.includes(key))
}

/** The key of the system that a machine runs: that of the confirmed install, or of the last one. */
export function presentOf(record: MachineRecord): DiskKey | undefined {
  const confirmed = confirmedIn(record.disk())
  const keys = record.diskKeys()
  return confirmed === undefined ? keys[0] : keys.find(key => isGrantOf(confirmed, key.boot))
}

/**
 * The keys of the disks that a machine has, as far as that is known: of the system that it runs and of what was installed since and is
 * not confirmed yet; where nothing is confirmed, each that was not given up.
 */
export function handedOutOf(record: MachineRecord): readonly DiskKey[] {
  return record.diskKeys().filter(key => whyKept(key, record) === undefined)
}

/** The reason, as a clause, for which a key is kept for people alone and handed to no machine; undefined where it is handed out. */
export function whyKept(key: DiskKey, record: MachineRecord): string | undefined {
  if (key.rejected !== undefined || isRejectedIn(record, key.boot))
    return "an operator rejected the machine's key, and its disk with it"
  if (!isDiscarded(key, record)) return undefined
  return `LUKS ${key.uuid} is of an earlier installation: the machine was installed again since. An administrator still sees the key`
}

/**
 * Marks the keys of disks that the machine had before it was installed again, before what is known of that later install is given up: they
 * are no longer handed out, whatever follows.
 */
export function discardEarlierKeys(record: ChangingRecord): void {
  const keys = record.diskKeys()
  const isNew = (key: DiskKey) => key.discarded !== true && isDiscarded(key, record)
  if (keys.some(isNew)) record.putDiskKeys(keys.map(key => (isNew(key) ? { ...key, discarded: true } : key)))
}

/** Says whether a key is of a disk that the machine had before it was installed again. */
function isDiscarded(key: DiskKey, record: MachineRecord): boolean {
  if (key.discarded === true) return true
  const { installs } = record.disk()
  const confirmed = confirmedIn({ installs })
  // While nothing is confirmed anyone may have had installs granted in the machine's name: they take no key from it.
  return confirmed !== undefined && !isNeeded(key, record.diskKeys(), installs, wasGranted(confirmed))
}

/**
 * An operator rejects a key of the machine: the keys of the disks that it was on are no longer handed out, also when the boots that
 * say so are forgotten. Gives how many.
 */
export function rejectDiskKeys(record: ChangingRecord, fingerprint: string): number {
  const isLast = record.lastUsedBoot()?.fingerprint === fingerprint
  const isOn = (key: DiskKey) => isLast || record.boot(key.boot)?.fingerprint === fingerprint
  const keys = record.diskKeys()
  const count = keys.filter(isOn).length
  if (count > 0) record.putDiskKeys(keys.map(key => (isOn(key) ? { ...key, rejected: fingerprint } : key)))
  return count
}

/** An operator approves a key that was rejected: the disks are handed their keys again. */
export function allowDiskKeys(record: ChangingRecord, fingerprint: string): void {
  const keys = record.diskKeys()
  if (keys.every(({ rejected }) => rejected !== fingerprint)) return
  record.putDiskKeys(
    keys.map(({ rejected, ...key }) =>
      rejected === undefined || rejected === fingerprint ? key : { ...key, rejected },
    ),
  )
}

/** Says whether a key is of an install that is known; `isGranted`: the confirmed one is known to have the key of its own boot, or none. */
function isNeeded(
  { boot, at }: DiskKey,
  keys: readonly DiskKey[],
  installs: readonly Install[],
  isGranted = false,
): boolean {
  if (installs.some(it => isGrantOf(it, boot))) return true
  const confirmed = confirmedIn({ installs })
  // A system that was entered without a record of its install, as after the restore of a backup: one of the earlier keys is its own.
  return (
    !isGranted &&
    confirmed !== undefined &&
    !keys.some(key => isGrantOf(confirmed, key.boot)) &&
    at <= confirmed.grantedAt
  )
}

/** Says whether the server granted an install itself, and kept that: what was only found on a disk has no table. */
function wasGranted({ table }: Install): boolean {
  return table !== undefined
}

/** Says whether an operator rejected the key of the boot that made the disk's key, or of the last that had a bundle. */
function isRejectedIn(record: MachineRecord, boot: string): boolean {
  const shown = [record.boot(boot)?.fingerprint, record.lastUsedBoot()?.fingerprint]
  return record.keys().some(({ fingerprint, state }) => state === 'rejected' && shown.includes(fingerprint))
}
