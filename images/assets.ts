// Puts the built live system and the verification guest where a server finds them: `live/` and `guest/` in its assets
// directory.

import { copyFile, link, mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ImageSet } from './build.ts'
import { GUEST_FILES } from './guest.ts'
import { BESIDE_INITRD } from './initrd.ts'
import { SLOT_FILES } from './slot.ts'

/**
 * Places the live system below `directory`: the files of a slot (`live/vmlinuz`, `live/initrd.img`, `live/rootfs.squashfs`, …), the
 * initrd of virtual machines ({@link BESIDE_INITRD}), the digest of the root image (`live/rootfs.sha256`) and `live/slot.json`, which lists them, and the guest's files as
 * `guest/vmlinuz`, `guest/initrd.img` and `guest/disk.raw`. Each is changed in one step, `slot.json` last; hard links where
 * the file system allows, copies elsewhere.
 */
export async function placeAssets(images: ImageSet, directory: string): Promise<void> {
  const live = join(directory, 'live')
  await mkdir(join(live, 'grub'), { recursive: true })
  for (const name of SLOT_FILES) await place(join(images.slot, name), join(live, name))
  for (const name of BESIDE_INITRD) await place(join(dirname(images.initrd), name), join(live, name))
  await place(join(dirname(images.rootfs), 'rootfs.sha256'), join(live, 'rootfs.sha256'))
  await place(join(images.slot, 'slot.json'), join(live, 'slot.json'))
  const guest = join(directory, 'guest')
  await mkdir(guest, { recursive: true })
  for (const name of GUEST_FILES) await place(join(images.guest, name), join(guest, name))
}

async function place(from: string, to: string): Promise<void> {
  // Not by replaceFile, which takes a content: these are hard links to files of the cache.
  const fresh = `${to}.new`
  await rm(fresh, { force: true })
  await link(from, fresh).catch(() => copyFile(from, fresh)) // another file system
  await rename(fresh, to)
  await rm(fresh, { force: true }) // rename(2) leaves both names when they are one file already
}
