// What is in the drive of an emulated machine: a file that the rack names, or iPXE, for network cards without a boot ROM.

import { existsSync } from 'node:fs'
import { copyFile, mkdir, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '#host/command.ts'
import type { RackMachine } from '../rack.ts'
import type { Hardware } from './hardware.ts'

const BIOS_IPXE = '/usr/lib/ipxe/ipxe.iso'
const UEFI_IPXE = '/usr/lib/ipxe/ipxe.efi'
const MADE = 'ipxe.iso'

/**
 * Puts iPXE into the drive of a machine that asks for it. Its own drivers are used: it boots where the firmware has none
 * for the card. For UEFI it is made here, a CD with an EFI system partition (El Torito), since the package has one for BIOS.
 *
 * @throws {CommandFailed} when mtools or xorriso are missing
 */
export async function loadMedium({
  machine,
  directory,
}: Pick<Hardware, 'machine' | 'directory'>): Promise<void> {
  const made = join(directory, MADE)
  if (machine.medium !== 'ipxe' || existsSync(made)) return
  if (machine.firmware === 'bios') return copyFile(BIOS_IPXE, made)
  const folder = join(directory, 'ipxe')
  const image = join(folder, 'efi.img')
  await mkdir(folder, { recursive: true })
  await writeFile(image, '')
  await truncate(image, 4 * 1024 ** 2)
  await run('mformat', ['-i', image, '-F', '-v', 'IPXE', '::'], { limitSeconds: 30 }).catch(() =>
    run('mformat', ['-i', image, '-v', 'IPXE', '::'], { limitSeconds: 30 }),
  )
  await run('mmd', ['-i', image, '::/EFI', '::/EFI/BOOT'], { limitSeconds: 30 })
  await run('mcopy', ['-i', image, UEFI_IPXE, '::/EFI/BOOT/BOOTX64.EFI'], { limitSeconds: 30 })
  const iso = [
    '-as',
    'mkisofs',
    '-quiet',
    '-V',
    'IPXE',
    '-o',
    `${made}.new`,
    '-e',
    'efi.img',
    '-no-emul-boot',
  ]
  await run('xorriso', [...iso, folder], { limitSeconds: 60 })
  await run('mv', [`${made}.new`, made], { limitSeconds: 10 })
  await rm(folder, { recursive: true })
}

/** The words for QEMU, run in the machine's folder: a CD drive. */
export function mediumArguments({ medium }: Pick<RackMachine, 'medium'>, place: number): string[] {
  if (medium === undefined) return []
  const file = medium === 'ipxe' ? MADE : medium.replaceAll(',', ',,') // QEMU's way to write a comma
  return [
    '-drive',
    `file=${file},if=none,id=medium,format=raw,media=cdrom,readonly=on`,
    '-device',
    `ide-cd,bus=ide.5,drive=medium,bootindex=${place}`,
  ]
}
