// What is known of the disk of a machine, as it is kept (store/machine-records.ts), and as others are shown it.

import { diskText, type Installed, type Order } from '#model/install.ts'
import { confirmedIn, type DiskRecord, type Install, type KeptOrder } from '../store/machine-records.ts'

/** An ordered install that was granted, since a confirmed one where there is one, and is not on the disk yet. */
export function unfinishedOrder(disk: Pick<DiskRecord, 'installs'>): Install | undefined {
  const confirmed = confirmedIn(disk)
  return disk.installs.find(
    ({ confirmedAt, installedAt, orderedBy, grantedAt }) =>
      confirmedAt === undefined &&
      installedAt === undefined &&
      orderedBy !== undefined &&
      grantedAt >= (confirmed?.grantedAt ?? 0),
  )
}

/** What is shown of an install. */
export function installedView({ disks, version, slot, installedAt, grantedAt, boot }: Install): Installed {
  const [disk] = disks
  return {
    disk: disk?.name ?? 'its disk',
    serial: disk?.serial ?? '',
    ...(disk !== undefined && { bytes: disk.bytes }),
    version,
    ...(slot !== undefined && { slot }),
    at: installedAt ?? grantedAt,
    boot,
  }
}

/** What is shown of an order. */
export function orderView(kept: KeptOrder): Order {
  const { machine, verb, at, until, who, boot, target, state, since, why } = kept
  const { healthySeconds, withoutProof } = kept
  return {
    machine,
    verb,
    at,
    until,
    who,
    ...(withoutProof === true && { withoutProof }),
    ...(boot !== undefined && { boot }),
    ...(target !== undefined && { target }),
    ...(state !== undefined && { state }),
    ...(since !== undefined && { since }),
    ...(why !== undefined && { why }),
    ...(healthySeconds !== undefined && { healthySeconds }),
  }
}

/** Says whether a machine stops, or loses what its disk holds, by what is ordered for it. */
export function isAway(order: Pick<Order, 'verb' | 'state'> | undefined): boolean {
  return order !== undefined && (order.verb !== 'upgrade' || order.state === 'rebooting')
}

/** What is kept of a disk that an initrd showed. */
export function nameOfDisk({
  name,
  bytes,
  model,
  serial,
  byId,
}: Install['disks'][number]): Install['disks'][number] {
  return { name, bytes, model, serial, byId }
}

/** Disks, as a sentence names them. */
export function onDisk(disks: Install['disks']): string {
  return disks.length === 0 ? 'its disk' : disks.map(diskText).join(' and ')
}
