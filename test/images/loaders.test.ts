// Both boot loaders as they are on a disk, under the firmware that they are for: which of two versions starts, when the newer
// one fails, and what the kernel gets in front of its initrd. The kernel and the initrd are those of the verification guest, which are small.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { findArtefact } from '#host/cache.ts'
import { run } from '#host/command.ts'
import { cpioArchive, cpioPadding } from '#images/cpio.ts'
import { guestRecipe } from '#images/guest.ts'
import { loadersRecipe } from '#images/loaders.ts'
import { loaderToolsRecipe } from '#images/loader-tools.ts'
import { makeUki } from '#images/slot.ts'
import { silentStage } from '#progress/stage.ts'
import { absent } from '../absent.ts'
import { BIOS_LOADER, BIOS_PARTITION, Disk, ovmfIn, startUntil } from './disk.ts'

const built =
  process.getuid?.() === 0
    ? await Promise.all([loaderToolsRecipe, loadersRecipe, guestRecipe].map(recipe => findArtefact(recipe)))
    : []
const [tools = '', loaders = '', guest = ''] = built.map(artefact => artefact?.path ?? '')
const noImages =
  tools !== '' && loaders !== '' && guest !== ''
    ? absent('qemu-system-x86_64', 'sgdisk', 'mkfs.fat', 'mcopy')
    : 'needs root and built images: pilotlight images build'
t.setTimeout(600_000) // ten starts of an emulated machine, while others use the processors

/** What the kernel prints of its command line. */
const started = (version: string) => new RegExp(`Kernel command line: .*pilotlight\\.slot=${version}\\b`)
const any = /Kernel command line: /
const env = (...args: readonly string[]) => run('sh', [BIOS_LOADER, ...args], { limitSeconds: 20 })
const cmdline = (version: string) => `pilotlight.slot=${version} console=ttyS0 rdinit=/probe`

/** A program that prints `text`. */
const probe = (text: string) => ({
  path: 'probe',
  mode: 0o755,
  content: `#!/bin/busybox sh\nmount -t devtmpfs dev /dev\necho "PROBE ${text}" > /dev/ttyS0\nsleep 600\n`,
})

/**
 * Files in the place of microcode and initrd. Both have a program `probe`, which the kernel starts: it takes the one that comes later, and that
 * of the initrd prints what is in the microcode, too.
 */
function initrdsIn(folder: string): { readonly microcode: string; readonly initrd: string } {
  const folders = ['kernel/', 'kernel/x86/', 'kernel/x86/microcode/'].map(path => ({ path, mode: 0o755 }))
  const file = { path: 'kernel/x86/microcode/GenuineIntel.bin', mode: 0o644, content: 'of a processor' }
  const [microcode, initrd] = [join(folder, 'microcode'), join(folder, 'initrd')]
  writeFileSync(microcode, cpioArchive([...folders, file, probe('microcode is last')]))
  const small = readFileSync(join(guest, 'initrd.img'))
  const added = cpioArchive([probe(`initrd behind microcode $(cat /${file.path})`)])
  writeFileSync(initrd, Buffer.concat([small, cpioPadding(small.length), added]))
  return { microcode, initrd }
}
const probed = /PROBE [^\r\n]*[\r\n]/

t.test('GRUB takes the older version once the newer one failed three times', { skip: noImages }, async t => {
  const folder = t.testdir()
  const at = (name: string) => join(folder, name)
  await env('set', at('grubenv'), 'older')
  await env('bless', at('grubenv'), 'older')
  await env('set', at('grubenv'), 'newer', 'older')
  const files: Record<string, string> = {
    'grub/grub.cfg': join(loaders, 'grub/grub.cfg'),
    'grub/grubenv': at('grubenv'),
  }
  const { microcode, initrd } = initrdsIn(folder)
  for (const version of ['older', 'newer']) {
    writeFileSync(at(version), `set cmdline="${cmdline(version)}"\n`)
    files[`pilotlight/${version}/slot.cfg`] = at(version)
    files[`pilotlight/${version}/vmlinuz`] = join(guest, 'vmlinuz')
    files[`pilotlight/${version}/initrd.img`] = initrd
    if (version === 'older') files[`pilotlight/${version}/microcode.img`] = microcode
  }
  const disk = await Disk.make(folder, files)
  const { start, sectors } = BIOS_PARTITION
  const images = [join(loaders, 'grub/boot.img'), join(loaders, 'grub/core.img')]
  await env('install', disk.path, String(start), String(sectors), ...images)

  // The machine loses its power each time, before anything could say that the version is good.
  for (const left of [2, 1, 0]) {
    const trying = new RegExp(`trying newer, ${left} attempts left after this one`)
    // Its kernel is waited for once: GRUB says the same before each time, and its reading through the BIOS takes longest.
    const shown = await startUntil({ disk }, left === 2 ? any : trying, at('console'))
    t.match(shown, trying)
    if (left === 2) t.match(shown, started('newer'))
    t.match(await disk.read('grub/grubenv'), new RegExp(`^new_tries=${left}$`, 'm'))
  }
  const shown = await startUntil({ disk }, probed, at('console'))
  t.match(shown, started('older'))
  t.match(shown, /PROBE initrd behind microcode of a processor/)
  t.match(await disk.read('grub/grubenv'), /^new_tries=0\nold=older\nold_tries=$/m)
})

t.test('systemd-boot does the same, and the newest is the one written last', { skip: noImages }, async t => {
  const folder = t.testdir({ newer: {}, older: {} })
  const at = (name: string) => join(folder, name)
  for (const version of ['newer', 'older']) {
    const needs = { [loaderToolsRecipe.name]: tools }
    const work = { directory: at(version), needs, stage: silentStage, log: at('log') }
    // As the root hash of the older version is the higher one, an order by hashes would show.
    const roothash = (version === 'newer' ? '0' : 'f').repeat(64)
    const files = { vmlinuz: join(guest, 'vmlinuz'), ...initrdsIn(at(version)) }
    await makeUki(work, { ...files, roothash, cmdline: cmdline(version) })
  }
  const disk = await Disk.make(folder, {
    'EFI/BOOT/BOOTX64.EFI': join(loaders, 'systemd-bootx64.efi'),
    'loader/loader.conf': join(loaders, 'loader.conf'),
    'EFI/Linux/pilotlight_9-ffffffffffff.efi': at('older/pilotlight.efi'),
    'EFI/Linux/pilotlight_10-000000000000+3.efi': at('newer/pilotlight.efi'),
  })
  const machine = { disk, ovmf: ovmfIn(folder) }
  for (const counted of ['+2-1', '+1-2', '+0-3']) {
    t.match(await startUntil(machine, any, at('console')), started('newer'))
    t.ok((await disk.list('EFI/Linux')).includes(`pilotlight_10-000000000000${counted}.efi`), counted)
  }
  const shown = await startUntil(machine, probed, at('console'))
  t.match(shown, started('older'))
  t.match(shown, /PROBE initrd behind microcode of a processor/)
  t.ok((await disk.list('EFI/Linux')).includes('pilotlight_9-ffffffffffff.efi'), 'a good one is not counted')
})
