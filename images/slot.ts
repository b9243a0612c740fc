// What one slot of a machine's disk is made of, beside the root image: the kernel with the processors' microcode, its initrd and its command line
// as one program for UEFI, the same for GRUB, and a list of all files with their digests.

import { chmod, copyFile, link, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Recipe, Work } from '#host/cache.ts'
import { sha256OfFile } from '#host/digest.ts'
import { PilotlightError } from '#model/error.ts'
import { reasonOf } from '#model/reason.ts'
import { slotIn, slotVersion, type Slot, type SlotFile } from '#model/slot.ts'

import { loadersRecipe } from './loaders.ts'
import { inLoaderTools, IN_ROOT_SCRIPTS, loaderToolsRecipe } from './loader-tools.ts'
import { rootHashIn, verityRecipe } from './verity.ts'

/** The files of a slot by their names in `live/` of the assets: what an installation writes to a disk. */
export const SLOT_FILES = [
  'rootfs.squashfs',
  'rootfs.verity',
  'vmlinuz',
  'microcode.img',
  'initrd.img',
  'pilotlight.efi',
  'systemd-bootx64.efi',
  'loader.conf',
  'grub/boot.img',
  'grub/core.img',
  'grub/grub.cfg',
  'grub/slot.cfg',
] as const

/**
 * The kernel's command line of a boot from the disk. `roothash=` names the slot's partitions (Discoverable Partitions
 * Specification), `pilotlight.disk` says to the initrd that this boot comes from a disk, and after a panic the machine
 * starts again after 30 s, which the loader counts as a failed attempt.
 */
export function slotCommandLine(roothash: string): string {
  return [
    'pilotlight.disk',
    `pilotlight.slot=${slotVersion(roothash)}`,
    `roothash=${roothash}`,
    'ignition.firstboot',
    'ignition.platform.id=metal',
    'panic=30',
    'console=tty0',
    'console=ttyS0,115200n8',
    'systemd.show_status=no',
  ].join(' ')
}

/**
 * The os-release(5) in the UKI, which systemd-boot shows. It has none of the keys of a version: systemd-boot would order
 * entries by it, and our version is a hash, which has no order. Without one it orders by the file's name, in which
 * the installation counts.
 */
function osRelease(roothash: string): string {
  const version = slotVersion(roothash)
  return `ID=pilotlight\nIMAGE_ID=pilotlight\nNAME=Pilotlight\nPRETTY_NAME="Pilotlight ${version}"\n`
}

/**
 * A slot's files, {@link SLOT_FILES}, and `slot.json`: the kernel, the microcode and the initrd of `initrd`, the image of `rootfs`, and what
 * follows from them. `slot.json`, which also names the `kubernetes` of the image, is the last that is written.
 */
export function slotRecipe(initrd: Recipe, rootfs: Recipe, kubernetes: string): Recipe {
  const verity = verityRecipe(rootfs)
  const hash = 'a'.repeat(64) // of no image: the texts are keyed here, and the hash by `rootfs`
  return {
    name: 'live-slot',
    title: "live system: a disk's slot",
    inputs: {
      method: 2,
      scripts: IN_ROOT_SCRIPTS,
      texts: [slotCommandLine(hash), osRelease(hash)],
      kubernetes,
    },
    needs: [loaderToolsRecipe, loadersRecipe, initrd, rootfs, verity],
    async build(work) {
      const out = (name: string) => join(work.directory, name)
      await mkdir(out('grub'))
      for (const [recipe, names] of [
        [initrd, ['vmlinuz', 'microcode.img', 'initrd.img']],
        [rootfs, ['rootfs.squashfs']],
        [verity, ['rootfs.verity']],
        [
          loadersRecipe,
          ['systemd-bootx64.efi', 'loader.conf', 'grub/boot.img', 'grub/core.img', 'grub/grub.cfg'],
        ],
      ] as const) {
        const from = work.needs[recipe.name]! // each is in `needs`
        for (const name of names) {
          await link(join(from, name), out(name)).catch(() => copyFile(join(from, name), out(name)))
        }
      }
      const roothash = await rootHashIn(work.needs[verity.name]!) // in `needs`
      const cmdline = slotCommandLine(roothash)
      await writeFile(out('grub/slot.cfg'), `set cmdline="${cmdline}"\n`)
      work.stage.waiting('ukify')
      const [vmlinuz, microcode] = [out('vmlinuz'), out('microcode.img')]
      await makeUki(work, { vmlinuz, microcode, initrd: out('initrd.img'), roothash, cmdline })
      await writeSlot(work.directory, { version: slotVersion(roothash), roothash, kubernetes, cmdline })
    },
  }
}

/** What is in a unified kernel image: the files' paths, and the texts. */
export type Uki = {
  readonly vmlinuz: string
  /** An archive that is not compressed: the kernel gets it in front of the initrd. */
  readonly microcode: string
  readonly initrd: string
  readonly roothash: string
  readonly cmdline: string
}

/** Makes `pilotlight.efi` in `work.directory`: a program for UEFI (UAPI.5), with all of it in one signature. */
export async function makeUki(work: Work, uki: Uki): Promise<void> {
  const { vmlinuz, microcode, initrd, roothash, cmdline } = uki
  const initrds = ['--microcode=/in/microcode', '--initrd=/in/initrd']
  const options = ['--linux=/in/vmlinuz', ...initrds, `--cmdline=${cmdline}`]
  const last = [`--os-release=${osRelease(roothash)}`, '--output=/out/pilotlight.efi']
  await inLoaderTools(work, { vmlinuz, microcode, initrd }, ['ukify', 'build', ...options, ...last])
  await chmod(join(work.directory, 'pilotlight.efi'), 0o644)
}

/**
 * Writes `slot.json` in `directory`, with the digests of the files that are there, in one step.
 *
 * @param more files beside {@link SLOT_FILES}, for example the keys that firmware takes in
 */
export async function writeSlot(
  directory: string,
  { version, roothash, kubernetes, cmdline }: Omit<Slot, 'files'>,
  more: readonly string[] = [],
): Promise<Slot> {
  const files: Record<string, SlotFile> = {}
  for (const name of [...SLOT_FILES, ...more]) {
    const path = join(directory, name)
    files[name] = { sha256: await sha256OfFile(path), bytes: (await stat(path)).size }
  }
  const slot: Slot = { version, roothash, ...(kubernetes !== undefined && { kubernetes }), files, cmdline }
  const fresh = join(directory, 'slot.json.new') // it may be a link into the cache
  await rm(fresh, { force: true })
  await writeFile(fresh, `${JSON.stringify(slot, undefined, 2)}\n`)
  await rename(fresh, join(directory, 'slot.json'))
  return slot
}

/** Assets without a slot that can be read. */
export class NoSlot extends PilotlightError {
  readonly code = 'NO_SLOT'
  constructor(path: string, reason: string, options?: ErrorOptions) {
    super(`${path} ${reason}. Put the images there first: pilotlight images build --assets-path DIR`, options)
  }
}

/**
 * The slot that is described in `live`, a folder of a server's assets, with all of {@link SLOT_FILES}.
 *
 * @throws {NoSlot}
 */
export async function readSlot(live: string): Promise<Slot> {
  const path = join(live, 'slot.json')
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new NoSlot(path, `cannot be read (${reasonOf(cause)})`, { cause })
  })
  const slot = slotIn(text, what => new NoSlot(path, what))
  const missing = SLOT_FILES.find(name => slot.files[name] === undefined)
  if (missing !== undefined) throw new NoSlot(path, `names no ${missing}`)
  return slot
}
