// Puts the built live system and the verification guest where a server finds them: `live/` and `guest/` in its assets
// directory.

import { copyFile, link, mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ImageSet } from './build.ts'
import { GUEST_FILES } from './guest.ts'

/**
 * Places kernel, initrd and root image as `live/vmlinuz`, `live/initrd.img` and `live/rootfs.squashfs` (and its
 * digest, `live/rootfs.sha256`) below `directory`, the guest's files as `guest/vmlinuz`, `guest/initrd.img` and `guest/disk.raw`, each changed in one step;
 * hard links where the file system allows, copies elsewhere.
 */
export async function placeAssets(images: ImageSet, directory: string): Promise<void> {
  const live = join(directory, 'live')
  await mkdir(live, { recursive: true })
  await place(images.kernel, join(live, 'vmlinuz'))
  await place(images.initrd, join(live, 'initrd.img'))
  await place(images.rootfs, join(live, 'rootfs.squashfs'))
  await place(join(dirname(images.rootfs), 'rootfs.sha256'), join(live, 'rootfs.sha256'))
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
