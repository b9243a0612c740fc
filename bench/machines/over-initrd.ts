// Files that a network boot finds over those of the initrd: an archive behind it, which the profile of the live system names.

import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { cpioArchive, type CpioEntry } from '#images/cpio.ts'

const FIRMWARE_DATA = join(import.meta.dirname, '../../lab/racks/firmware/data')

/** The profile of the live system: its file, and what was in that at first. */
export type LiveProfile = { readonly file: string; readonly text: string }

/** Copies the data directory of the live system, with what its links lead to, as the profile is written to. */
export function copyLiveData(to: string): LiveProfile {
  execFileSync('cp', ['--recursive', '--dereference', FIRMWARE_DATA, to]) // Node's cpSync keeps links below the folder
  const file = join(to, 'profiles/live.json')
  return { file, text: readFileSync(file, 'utf8') }
}

/** Writes the archive of these files to the assets as `live/NAME`, and gives the profile with it behind its initrds. */
export function withOverInitrd(
  profile: string,
  { assets, name, entries }: { assets: string; name: string; entries: readonly CpioEntry[] },
): string {
  // Compressed, since the kernel takes an archive that is not only at a multiple of four, and UEFI puts it right behind the initrd.
  writeFileSync(join(assets, 'live', name), gzipSync(cpioArchive(entries)))
  const read = JSON.parse(profile) as { boot: { initrd: string[] } }
  read.boot.initrd.push(`--name ${name} /assets/live/${name}`)
  return JSON.stringify(read)
}
