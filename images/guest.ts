// The verification guest: the smallest system that can prove from inside a server that it booted, got its address and sees
// its disks. Debian's cloud kernel, and a busybox with two scripts as its initramfs; its disk is empty.

import { chmod, copyFile, cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Recipe } from '#host/cache.ts'
import { PilotlightError } from '#model/error.ts'
import { command, words } from './commands.ts'
import { dataFile, textsBelow } from './files.ts'
import { guestKernelRecipe } from './guest-kernel.ts'
import { parseModulesDep } from './kernel-modules.ts'
import { nodeNetworkRecipe } from './node-network.ts'

const scripts = dataFile('guest')

/** Hardware of a server: its bus, network and disks, entropy, and the button that asks it to stop. */
const MODULES = words('virtio_pci virtio_net virtio_blk virtio-rng evdev button')

/** The busybox applets that the two scripts use. */
const APPLETS = words('sh mount insmod ip httpd cat head echo sed sleep mkdir udhcpc nc hostname poweroff dd')

const DISK_BYTES = 4 << 20

/**
 * The files of the guest, as they are uploaded into an image service: a bzImage (disk format `aki`), an initramfs (`ari`)
 * and an empty disk of 4 MiB (`raw`).
 */
export const GUEST_FILES = ['vmlinuz', 'initrd.img', 'disk.raw'] as const

/** The guest: an artefact with {@link GUEST_FILES}. */
export const guestRecipe: Recipe = {
  name: 'guest',
  title: 'verification guest',
  inputs: { method: 1, scripts: textsBelow(scripts), MODULES, APPLETS, DISK_BYTES },
  needs: [guestKernelRecipe, nodeNetworkRecipe],
  async build(work) {
    const debian = join(work.needs[guestKernelRecipe.name]!, 'root') // both are in `needs`
    const busybox = join(work.needs[nodeNetworkRecipe.name]!, 'root/bin/busybox')
    const root = join(work.directory, 'root')
    for (const folder of words('bin dev proc sys run www modules')) {
      await mkdir(join(root, folder), { recursive: true })
    }
    await cp(scripts, root, { recursive: true })
    for (const name of Object.keys(textsBelow(scripts))) await chmod(join(root, name), 0o755)
    await copyFile(busybox, join(root, 'bin/busybox'))
    for (const applet of APPLETS) await symlink('busybox', join(root, 'bin', applet))

    const release = await onlyEntry(join(debian, 'lib/modules'))
    const modules = join(debian, 'lib/modules', release)
    const ordered = moduleOrder(await readFile(join(modules, 'modules.dep'), 'utf8'), MODULES)
    for (const path of ordered) await copyFile(join(modules, path), join(root, 'modules', basename(path)))
    const names = ordered.map(path => basename(path, '.ko'))
    await writeFile(join(root, 'modules/order'), `${names.join(' ')}\n`)

    // Not compressed: an emulated processor would take longer to unpack it than it takes to read.
    const archive = `cd "$1" && find . | sort | "$2" cpio -o -H newc -R 0:0 > "$3"`
    await command(work, { limitSeconds: 60 }, 'sh', [
      '-euc',
      archive,
      'sh',
      root,
      busybox,
      join(work.directory, 'initrd.img'),
    ])
    await rm(root, { recursive: true })
    await copyFile(join(debian, 'boot', `vmlinuz-${release}`), join(work.directory, 'vmlinuz'))
    await writeFile(join(work.directory, 'disk.raw'), new Uint8Array(DISK_BYTES))
  },
}

/** A kernel module that is asked for and that modules.dep does not list. */
export class UnknownModule extends PilotlightError {
  readonly code = 'UNKNOWN_MODULE'
  constructor(name: string) {
    super(`The kernel has no module ${name}. It may be built in now: leave it out of the guest's list.`)
  }
}

/**
 * The paths of `wanted` modules and of all that they need, each behind what it needs itself: the order for insmod.
 * `modulesDep` is the text of modules.dep(5), which lists what a module needs last things first.
 *
 * @throws {UnknownModule}
 */
export function moduleOrder(modulesDep: string, wanted: readonly string[]): string[] {
  const needs = parseModulesDep(modulesDep)
  const ordered = wanted.flatMap(name => {
    const path = [...needs.keys()].find(it => basename(it, '.ko') === name)
    if (path === undefined) throw new UnknownModule(name)
    return [...needs.get(path)!.toReversed(), path] // found among its keys
  })
  return [...new Set(ordered)]
}

async function onlyEntry(directory: string): Promise<string> {
  const [entry = ''] = await readdir(directory)
  return entry
}
