// A root with the programs that make what a disk boots from: Debian 12, which this host may run, has no ukify, and what a
// machine boots is to be the same whatever the host has.

import { join } from 'node:path'

import type { Recipe, Work } from '#host/cache.ts'

import { isolated, words } from './commands.ts'
import { makeRoot, NO_DOCUMENTATION } from './debian.ts'
import { dataFile, scriptTexts } from './files.ts'

const script = dataFile('scripts/in-root.sh')

/** The text of what {@link inLoaderTools} runs: part of the inputs of every recipe that does. */
export const IN_ROOT_SCRIPTS = scriptTexts('in-root.sh', 'overlay.sh')

const PACKAGES = words(
  'systemd-boot-efi systemd-ukify cryptsetup-bin grub-common grub-pc-bin sbsigntool efitools',
)

/** ukify, veritysetup, grub-mkimage and sbsign, and the loaders that are put on a disk: systemd-boot and GRUB. */
export const loaderToolsRecipe: Recipe = {
  name: 'loader-tools',
  title: 'loaders: Debian root with what makes them',
  inputs: { method: 1, release: 'trixie', PACKAGES, NO_DOCUMENTATION },
  async build(work) {
    const packages = PACKAGES
    await makeRoot(work, { release: 'trixie', variant: 'minbase', packages, without: NO_DOCUMENTATION })
  },
}

/**
 * Runs a program of {@link loaderToolsRecipe}, which the running recipe needs. The files `inputs` are at `/in/<name>`,
 * `work.directory` is at `/out`.
 *
 * @throws {CommandFailed}
 */
export async function inLoaderTools(
  work: Work,
  inputs: Readonly<Record<string, string>>,
  command: readonly string[],
): Promise<void> {
  const root = join(work.needs[loaderToolsRecipe.name]!, 'root') // see above
  const files = Object.entries(inputs).map(([name, path]) => `${name}=${path}`)
  // A total: these programs print nothing while they read an image. A busy host reads and hashes 10 MB a second.
  const limit = { limitSeconds: 1800 }
  await isolated(work, limit, 'bash', [script, root, work.directory, ...files, '--', ...command])
}
