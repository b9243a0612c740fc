// The boot loaders of a machine that is installed on its disk: systemd-boot for UEFI, GRUB for BIOS.

import { readFileSync } from 'node:fs'
import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'

import type { Recipe } from '#host/cache.ts'

import { words } from './commands.ts'
import { dataFile } from './files.ts'
import { inLoaderTools, IN_ROOT_SCRIPTS, loaderToolsRecipe } from './loader-tools.ts'

/** What GRUB's core image needs to read `grub.cfg` and do what is in it; nothing is loaded from the disk. */
const GRUB_MODULES = words(
  'biosdisk part_gpt fat normal configfile linux loadenv',
  'echo test regexp serial terminal sleep reboot halt minicmd ls',
)

/**
 * Where GRUB finds its files: partition 2, the EFI system partition, of the disk that the BIOS started. No disk number and no
 * label: each disk of a mirror starts by its own files.
 */
const GRUB_PREFIX = '(,gpt2)/grub'

const configuration = dataFile('live/grub/grub.cfg')
const loaderConf = dataFile('live/loader.conf')

/**
 * `systemd-bootx64.efi` with its `loader.conf`, and for BIOS `grub/boot.img` (the boot sector), `grub/core.img` (what it loads: its place is the BIOS
 * boot partition) and `grub/grub.cfg`. Both images still lack the number of the sector that the core image is at:
 * `bios-loader install` writes it.
 */
export const loadersRecipe: Recipe = {
  name: 'loaders',
  title: 'loaders: systemd-boot and GRUB',
  inputs: {
    method: 1,
    scripts: IN_ROOT_SCRIPTS,
    texts: [configuration, loaderConf].map(path => readFileSync(path, 'utf8')),
    GRUB_MODULES,
    GRUB_PREFIX,
  },
  needs: [loaderToolsRecipe],
  async build(work) {
    const root = join(work.needs[loaderToolsRecipe.name]!, 'root') // in `needs`
    const out = (name: string) => join(work.directory, name)
    await mkdir(out('grub'))
    await copyFile(join(root, 'usr/lib/systemd/boot/efi/systemd-bootx64.efi'), out('systemd-bootx64.efi'))
    await copyFile(join(root, 'usr/lib/grub/i386-pc/boot.img'), out('grub/boot.img'))
    await copyFile(loaderConf, out('loader.conf'))
    await copyFile(configuration, out('grub/grub.cfg'))
    work.stage.waiting('grub-mkimage')
    const options = ['--format=i386-pc', `--prefix=${GRUB_PREFIX}`, '--output=/out/grub/core.img']
    await inLoaderTools(work, {}, ['grub-mkimage', ...options, ...GRUB_MODULES])
    await inLoaderTools(work, { 'grub.cfg': configuration }, ['grub-script-check', '/in/grub.cfg'])
  },
}
