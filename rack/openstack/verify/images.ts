// The image service: what was sent is what is stored.

import { createImage, readImage, uploadImage, type ImageDescription } from '../image.ts'
import type { OpenstackClient } from '../client.ts'
import type { Check } from './check.ts'
import { CheckFailed } from './errors.ts'
import { digestOf, type GuestImage } from './guest-image.ts'
import { IMAGE_TAG } from './removal.ts'
import { awaitService } from './service.ts'

/**
 * Uploads the guest, and gives the id of the image that a server boots.
 *
 * @throws {CheckFailed} when Glance's checksum is not that of the bytes
 */
export async function storeImages(
  cloud: OpenstackClient,
  check: Check,
  name: string,
  guest: GuestImage,
): Promise<string> {
  await awaitService(cloud, check, 'image')
  const common = { name, tags: [IMAGE_TAG] }
  const disk = { ...common, disk_format: guest.diskFormat, container_format: 'bare' } as const
  if (guest.kernel === undefined) {
    check.note(`${megabytes(guest.disk.size)}, checksum as sent`)
    return storeImage(cloud, disk, guest.disk)
  }
  const { vmlinuz, initrd, arguments: line } = guest.kernel
  const [kernel_id, ramdisk_id] = await Promise.all([
    storeImage(cloud, { ...common, disk_format: 'aki', container_format: 'aki' }, vmlinuz),
    storeImage(cloud, { ...common, disk_format: 'ari', container_format: 'ari' }, initrd),
  ])
  const id = await storeImage(cloud, { ...disk, kernel_id, ramdisk_id, os_command_line: line }, guest.disk)
  check.note(`${megabytes(vmlinuz.size + initrd.size + guest.disk.size)}, checksums as sent`)
  return id
}

async function storeImage(cloud: OpenstackClient, image: ImageDescription, bytes: Blob): Promise<string> {
  const id = await createImage(cloud, image)
  await uploadImage(cloud, id, bytes)
  const { status, size, os_hash_algo, os_hash_value } = await readImage(cloud, id)
  if (status !== 'active' || size !== bytes.size)
    throw new CheckFailed(
      `an image of ${bytes.size} bytes is ${status} with ${size ?? 0} bytes after its upload`,
    )
  if (os_hash_algo === null || os_hash_value !== (await digestOf(bytes, os_hash_algo)))
    throw new CheckFailed(
      `the ${os_hash_algo ?? 'missing'} checksum of the stored image is not that of what was sent`,
    )
  return id
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
