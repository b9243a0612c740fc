// The hash tree of the root image: with it, and with the root hash in the kernel's command line, a machine that boots from
// its disk checks each block of the image when it reads it (dm-verity), so no digest costs a second at boot.

import { chmod, readFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Recipe } from '#host/cache.ts'

import { inLoaderTools, IN_ROOT_SCRIPTS, loaderToolsRecipe } from './loader-tools.ts'

// Fixed, so that the same image has the same root hash wherever it is built. A salt defends against tables of hashes that
// were computed beforehand for many images, which no one gains from here.
const SALT = '9d4f1c5a7e80b2361fa4c8d95e07b36a2c81f4905db7e3168ac5f20b7e946d13'
const UUID = '7b1c3d5e-9f20-4a68-8c4d-2e6f8a0b1c3d'

/** `rootfs.verity` and `rootfs.roothash` (64 hexadecimal digits) of the image of `rootfs`. */
export function verityRecipe(rootfs: Recipe): Recipe {
  return {
    name: 'live-verity',
    title: 'live system: hash tree of the squashfs',
    inputs: { method: 1, scripts: IN_ROOT_SCRIPTS, SALT, UUID },
    needs: [loaderToolsRecipe, rootfs],
    async build(work) {
      const image = join(work.needs[rootfs.name]!, 'rootfs.squashfs') // in `needs`
      const options = [`--salt=${SALT}`, `--uuid=${UUID}`, '--root-hash-file=/out/rootfs.roothash']
      const files = ['/in/rootfs.squashfs', '/out/rootfs.verity']
      work.stage.waiting('veritysetup')
      await inLoaderTools(work, { 'rootfs.squashfs': image }, ['veritysetup', 'format', ...options, ...files])
      // veritysetup makes both for its own user alone; a server hands them out.
      for (const name of ['rootfs.verity', 'rootfs.roothash']) await chmod(join(work.directory, name), 0o644)
    },
  }
}

/** The root hash in the artefact of {@link verityRecipe}: 64 hexadecimal digits. */
export async function rootHashIn(artefact: string): Promise<string> {
  return (await readFile(join(artefact, 'rootfs.roothash'), 'utf8')).trim()
}
