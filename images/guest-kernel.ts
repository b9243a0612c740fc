// The kernel of the verification guest: Debian's for clouds, of the release that OpenStack's layers are made of. It is
// smaller than the live system's, and boots faster where a processor is emulated twice.

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

import type { Recipe } from '#host/cache.ts'

import { isolated, words } from './commands.ts'
import { LIST_EXTRACTED, makeRoot, NO_DOCUMENTATION } from './debian.ts'

const PACKAGES = words('linux-image-cloud-amd64')

/** `<artefact>/root`: `boot/vmlinuz-RELEASE`, and `lib/modules/RELEASE` with its index. */
export const guestKernelRecipe: Recipe = {
  name: 'guest-kernel',
  title: 'kernel of the verification guest',
  inputs: { method: 1, LIST_EXTRACTED, PACKAGES, NO_DOCUMENTATION },
  async build(work) {
    const root = await makeRoot(work, { variant: 'extract', packages: PACKAGES, without: NO_DOCUMENTATION })
    const [release = ''] = await readdir(join(root, 'lib/modules'))
    // Unpacked and not configured: the index that the package's script would make is made here, by its own kmod.
    await isolated(work, { limitSeconds: 120 }, 'chroot', [root, '/sbin/depmod', release])
  },
}
