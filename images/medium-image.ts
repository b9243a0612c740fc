// Makes the file of a boot medium: one image that is a CD, a USB stick or a BMC's virtual medium, for BIOS and UEFI. GRUB loads the
// kernel and the initrd of the live system from it. The same request and images give the same bytes.

import { createHash } from 'node:crypto'
import {
  access,
  constants,
  copyFile,
  link,
  mkdir,
  mkdtemp,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { run } from '#host/command.ts'
import { sha256OfFile } from '#host/digest.ts'
import { Failure } from '#model/error.ts'
import { reasonOf } from '#model/reason.ts'
import type { Stage } from '#progress/stage.ts'
import { mediumArchive } from './authority.ts'
import { words } from './commands.ts'
import { grubMenu, grubStart, mediumFolder, type Medium } from './medium.ts'

/** Where Debian's packages grub-pc-bin and grub-efi-amd64-bin keep GRUB. */
export const GRUB_FOLDER = '/usr/lib/grub'

/** The files that go on a medium. */
export type MediumFiles = {
  readonly kernel: string
  readonly initrd: string
  /** The microcode of processors; absent: none is loaded. */
  readonly microcode?: string
  /** SHA-256 of the root image that belongs to this kernel, in hexadecimal digits. */
  readonly rootfsSha256: string
  /** The provisioner's authority, as `readAuthority` gives it. */
  readonly ca?: string
}

/** What both of GRUB's images have built in: no modules are loaded from the medium. */
const MODULES = words(
  'iso9660 part_gpt part_msdos search search_fs_file normal configfile linux echo test serial terminal',
  'minicmd reboot halt',
)
const BIOS_MODULES = [...MODULES, 'biosdisk', 'vbe', 'vga']
/** Without a mode of the firmware's screen the kernel would have no console before its drivers. */
const EFI_MODULES = [...MODULES, 'fat', 'all_video', 'efi_gop', 'efi_uga']
/** 1 January 2020: the date of everything on a medium, so that no file on it has another. */
const EPOCH = '1577836800'
/** The same, as xorriso reads it: to the hundredth of a second. */
const DATE = '2020010100000000'
const LIMIT = { limitSeconds: 300 }
const VARIABLES = { env: { SOURCE_DATE_EPOCH: EPOCH, LC_ALL: 'C', TZ: 'UTC' } }

/** A finished medium: its path, and its size in bytes. */
export type MediumImage = { readonly path: string; readonly bytes: number; readonly sha256: string }

/**
 * Writes the medium to `output`, which appears whole or not at all.
 *
 * @throws {Failure} BAD_OPTION where `output` cannot be a file of this host
 * @throws {CommandFailed} when one of GRUB's or xorriso's programs fails
 */
export async function makeMedium(
  medium: Medium,
  files: MediumFiles,
  output: string,
  stage: Stage,
  signal: AbortSignal,
): Promise<MediumImage> {
  const path = resolve(output)
  const work = await workFolder(path)
  try {
    stage.waiting('GRUB')
    const added = mediumArchive(files.rootfsSha256, files.ca)
    const id = await idOf(medium, files, added)
    const tree = join(work, 'tree')
    const folder = join(tree, mediumFolder(id))
    await mkdir(folder, { recursive: true })
    await put(files.kernel, join(folder, 'vmlinuz'))
    await put(files.initrd, join(folder, 'initrd.img'))
    if (files.microcode !== undefined) await put(files.microcode, join(folder, 'microcode.img'))
    await writeFile(join(folder, 'medium.img'), added)
    const initrds = [...(files.microcode === undefined ? [] : ['microcode.img']), 'initrd.img', 'medium.img']
    await writeFile(join(folder, 'grub.cfg'), grubMenu(medium, id, initrds))
    const start = join(work, 'start.cfg')
    await writeFile(start, grubStart(id))
    const bios = join(folder, 'bios.img')
    await grub('i386-pc-eltorito', BIOS_MODULES, start, bios, signal)
    const efi = join(work, 'bootx64.efi')
    await grub('x86_64-efi', EFI_MODULES, start, efi, signal)
    const esp = await efiPartition(efi, id, work, signal)
    stage.waiting('the image')
    const image = join(work, 'image')
    await iso(tree, { id, bios: `${mediumFolder(id)}/bios.img`.slice(1), esp, image }, signal)
    const { size } = await stat(image)
    const sha256 = await sha256OfFile(image)
    await rename(image, path)
    return { path, bytes: size, sha256 }
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

const OUTPUT_REMEDY = 'give  --output FILE  with a path where a file can be made'

/**
 * Refuses a path where no medium can be written, before images are built for it.
 *
 * @throws {Failure} BAD_OPTION
 */
export async function requireOutput(output: string): Promise<void> {
  const path = resolve(output)
  const there = await stat(path).catch(() => undefined)
  if (there !== undefined && !there.isFile())
    throw new Failure('BAD_OPTION', `--output ${path} is there, and is not a file`, OUTPUT_REMEDY)
  const folder = dirname(path)
  const what = `--output ${path} cannot be made`
  const beside = await stat(folder).catch((cause: unknown) => {
    throw new Failure('BAD_OPTION', `${what}: ${reasonOf(cause)}`, OUTPUT_REMEDY, { cause })
  })
  if (!beside.isDirectory())
    throw new Failure('BAD_OPTION', `${what}: ${folder} is not a directory`, OUTPUT_REMEDY)
  await access(folder, constants.W_OK | constants.X_OK).catch((cause: unknown) => {
    throw new Failure('BAD_OPTION', `${what}: ${reasonOf(cause)}`, OUTPUT_REMEDY, { cause })
  })
}

/** Beside the output, so that the finished file is moved there in one step. */
async function workFolder(path: string): Promise<string> {
  await requireOutput(path)
  try {
    return await mkdtemp(join(dirname(path), `.${basename(path)}-`))
  } catch (cause) {
    const reason = reasonOf(cause)
    throw new Failure('BAD_OPTION', `--output ${path} cannot be made: ${reason}`, OUTPUT_REMEDY, { cause })
  }
}

/** 32 hexadecimal digits that stand for all that is on the medium. */
async function idOf(medium: Medium, files: MediumFiles, added: Uint8Array): Promise<string> {
  const { kernel, initrd, microcode } = files
  const hash = createHash('sha256')
  hash.update(JSON.stringify([medium, BIOS_MODULES, EFI_MODULES]))
  for (const file of [kernel, initrd, ...(microcode === undefined ? [] : [microcode])])
    hash.update(await sha256OfFile(file))
  return hash.update(added).digest('hex').slice(0, 32)
}

async function put(from: string, to: string): Promise<void> {
  await link(from, to).catch(() => copyFile(from, to)) // another file system
}

async function grub(
  format: string,
  modules: readonly string[],
  start: string,
  output: string,
  signal: AbortSignal,
): Promise<void> {
  const folder = join(GRUB_FOLDER, format.replace('-eltorito', ''))
  const options = [`--format=${format}`, `--directory=${folder}`, '--prefix=/', `--config=${start}`]
  await run('grub-mkimage', [...options, `--output=${output}`, ...modules], {
    ...LIMIT,
    ...VARIABLES,
    signal,
  })
}

/** A FAT file system with GRUB where UEFI looks for it. */
async function efiPartition(efi: string, id: string, work: string, signal: AbortSignal): Promise<string> {
  const image = join(work, 'esp.img')
  const how = { ...LIMIT, ...VARIABLES, signal }
  await run('mformat', ['-C', '-f', '2880', '-N', id.slice(0, 8), '-v', 'PILOTLIGHT', '-i', image, '::'], how)
  await run('mmd', ['-i', image, '::/EFI', '::/EFI/BOOT'], how)
  await run('mcopy', ['-i', image, efi, '::/EFI/BOOT/BOOTX64.EFI'], how)
  return image
}

/**
 * The image: ISO 9660 with boot images for both kinds of firmware (El Torito), and the same again for disks: GRUB in the first block
 * and a partition table with the EFI system partition.
 */
async function iso(
  tree: string,
  { id, bios, esp, image }: { id: string; bios: string; esp: string; image: string },
  signal: AbortSignal,
): Promise<void> {
  const options = [
    ['-as', 'mkisofs', '-quiet', '-r', '-V', 'PILOTLIGHT', '-o', image],
    ['--gpt_disk_guid', id, '--set_all_file_dates', DATE],
    ['--grub2-mbr', join(GRUB_FOLDER, 'i386-pc/boot_hybrid.img'), '--mbr-force-bootable'],
    ['-partition_offset', '16', '-append_partition', '2', '0xef', esp, '-appended_part_as_gpt'],
    ['-b', bios, '-no-emul-boot', '-boot-load-size', '4', '-boot-info-table', '--grub2-boot-info'],
    ['-eltorito-alt-boot', '-e', '--interval:appended_partition_2:all::', '-no-emul-boot'],
    [tree],
  ]
  await run('xorriso', options.flat(), { ...LIMIT, ...VARIABLES, signal })
}
