// What does firmware start that trusts an operator's own key, and what does it refuse? OVMF's build with secure variables takes the keys in,
// and is then started from one disk after another: `node test/secure-boot/starts.ts RECORD.jsonl`. A line a start; ends with 1 when one is not
// as it should be. Root; about 15 s a start on a host that has nothing else to do, so CI has only the first (test/images/secure-boot.test.ts).

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { signAssets } from '#images/secure-boot.ts'
import { circumstances, openRecord, type Circumstances } from '../../bench/record.ts'
import { COMMAND_LINE, KERNEL_IMAGE, signedSlot, signedSlotNeeds } from '../images/signed-slot.ts'

const [path = ''] = process.argv.slice(2)
if (path === '') throw new Error('give the record: docs/runs/DATE-secure-boot.jsonl')
const needs = await signedSlotNeeds()
if (needs.skip !== false) throw new Error(needs.skip)

/** A line of the record. */
type Start = Circumstances & {
  readonly start: string
  readonly what: string
  readonly passed: boolean
  readonly shown: string
}
const record = openRecord<Start>(path)

const LOADER = 'EFI/BOOT/BOOTX64.EFI'
/** For a start on a host that has other work. */
const LIMIT_SECONDS = 600
const STARTED = /Kernel command line: .*pilotlight\.slot=|secureboot: Secure boot/
/** What OVMF and systemd-boot say of a program that is not signed by a key in `db`. */
const REFUSED = /Security Violation|Access Denied/i

const folder = mkdtempSync(join(tmpdir(), 'secure-boot-'))
const at = (name: string) => join(folder, name)
try {
  const { live, signing, unsigned, start } = await signedSlot(folder, needs)
  const kernel = join(live, 'pilotlight.efi')

  const write = (name: string, what: string, passed: boolean, shown: string) => {
    record.add({ start: name, what, ...circumstances(), passed, shown })
    console.log(`${passed ? 'ok' : 'NOT AS IT SHOULD BE'} ${name}: ${what} (${shown})`)
    if (!passed) process.exitCode = 1
  }
  const starts = async (name: string, what: string, changed: Readonly<Record<string, string>>) => {
    const text = /secureboot: Secure boot (enabled|could not be determined|disabled)/
    const shown = await start(name, changed, text, LIMIT_SECONDS).catch(failure)
    write(name, what, /secureboot: Secure boot enabled/.test(shown), lineOf(shown, /secureboot|FAILED/))
  }
  const refuses = async (name: string, what: string, changed: Readonly<Record<string, string>>) => {
    const either = new RegExp(`${REFUSED.source}|${STARTED.source}`, 'i')
    const shown = await start(name, changed, either, LIMIT_SECONDS).catch(failure)
    write(
      name,
      what,
      REFUSED.test(shown) && !STARTED.test(shown),
      lineOf(shown, REFUSED) || lineOf(shown, STARTED) || lineOf(shown, /FAILED/),
    )
  }

  const enrolled = /Secure Boot keys successfully enrolled/
  const first = await start('enrols', {}, enrolled, LIMIT_SECONDS).catch(failure)
  write('enrols', 'firmware in setup mode takes the keys in', enrolled.test(first), lineOf(first, enrolled))
  if (!enrolled.test(first))
    throw new Error('firmware without keys starts everything: nothing else was tried')

  await starts('signed', 'loader and kernel image that the key has signed start', {})

  const bytes = readFileSync(kernel)
  bytes.write('pilotlight.slot=forged', bytes.indexOf(COMMAND_LINE))
  writeFileSync(at('other-line.efi'), bytes)
  await refuses('command-line', 'a kernel image with another command line', {
    [KERNEL_IMAGE]: at('other-line.efi'),
  })

  const altered = readFileSync(kernel)
  const middle = altered.length >> 1 // in the kernel or its initrd, which fill the file
  altered[middle] = (altered[middle] ?? 0) ^ 1
  writeFileSync(at('one-bit.efi'), altered)
  await refuses('one-bit', 'a kernel image with one bit changed', { [KERNEL_IMAGE]: at('one-bit.efi') })

  await refuses('unsigned-kernel', 'a kernel image without a signature', { [KERNEL_IMAGE]: unsigned })
  const loader = join(needs.loaders, 'systemd-bootx64.efi')
  await refuses('bare-kernel', 'the kernel of network boots in the place of the loader', {
    [LOADER]: join(live, 'vmlinuz'),
  })
  await refuses('unsigned-loader', 'a loader without a signature', { [LOADER]: loader })

  const stranger = await signedSlot(mkdtempSync(join(folder, 'stranger-')), needs)
  const strangers = join(stranger.live, 'pilotlight.efi')
  await refuses('stranger', 'a kernel image signed by a key that is not in db', { [KERNEL_IMAGE]: strangers })

  await starts('again', 'after all that, what the key has signed starts', {})
  if ((await signAssets(signing)).length > 0) throw new Error('what was signed has changed')
} finally {
  rmSync(folder, { recursive: true })
}

/** The line of the console that matches. */
function lineOf(shown: string, text: RegExp): string {
  const lines = stripVTControlCharacters(shown).split(/[\r\n]+/)
  return (
    lines
      .find(line => text.test(line))
      ?.trim()
      .slice(0, 200) ?? ''
  )
}

/** In the place of a console that showed nothing of what was waited for, whose text the error would repeat. */
function failure(): string {
  return 'FAILED: the console showed nothing of it in time'
}
