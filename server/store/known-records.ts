// What of the machines' records must be known at once, since packets and requests that ask for it wait for nothing: held in
// memory, and followed.

import type { DiskRecord, MachineBoot, MachineRecords, Reopening } from './machine-records.ts'

/** The boot that a machine runs in, or was in last: the latest that its bundle was given to, or that was ready. */
export type RunningBoot = Pick<MachineBoot, 'boot' | 'readyAt'>

/** Records by the machine's name. They always equal what is on disk. */
export type KnownRecords = {
  readonly running: ReadonlyMap<string, RunningBoot>
  /** Reopenings, including those that have expired. */
  readonly reopened: ReadonlyMap<string, Reopening>
  /** What is known of the disks of machines. */
  readonly disks: ReadonlyMap<string, DiskRecord>
}

/** Reads the records, then follows the store's changes. */
export async function knownRecords(store: Pick<MachineRecords, 'follow'>): Promise<KnownRecords> {
  const running = new Map<string, RunningBoot>()
  const reopened = new Map<string, Reopening>()
  const disks = new Map<string, DiskRecord>()
  const used = ({ machine, boot, readyAt }: MachineBoot) => {
    running.set(machine, { boot, ...(readyAt !== undefined && { readyAt }) })
  }
  await store.follow({
    begin: all => {
      for (const boot of all.used) used(boot)
      for (const reopening of all.reopened) reopened.set(reopening.machine, reopening)
      for (const [machine, disk] of all.disks) disks.set(machine, disk)
    },
    used,
    reopened: (machine, reopening) => {
      if (reopening === undefined) reopened.delete(machine)
      else reopened.set(machine, reopening)
    },
    disk: (machine, disk) => {
      if (disk.installs.length === 0 && disk.order === undefined) disks.delete(machine)
      else disks.set(machine, disk)
    },
  })
  return { running, reopened, disks }
}
