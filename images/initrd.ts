// Kernel and initrds of the live system: dracut with Ignition's module and ours, and the drivers of images/live/drivers;
// and the processors' microcode.

import { readFileSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Recipe } from '#host/cache.ts'

import { isolated } from './commands.ts'
import { cpioArchive } from './cpio.ts'
import { dataFile, scriptTexts, textsBelow } from './files.ts'
import { ignitionRecipe } from './go-tools.ts'
import { driverNames, parseModulesDep, requireDrivers } from './kernel-modules.ts'
import { kernelRelease, liveRootRecipe } from './live-root.ts'

const script = dataFile('scripts/make-initrd.sh')
const dracutModule = dataFile('live/dracut')
const networkFile = dataFile('live/root/etc/systemd/network/80-pilotlight.network')
const journalFile = dataFile('live/root/etc/systemd/journald.conf.d/50-pilotlight.conf')

/**
 * Programs of the live root that the initrd has, too: what writes slots and has a loader start them (docs/disk.md), and what
 * sends the journal.
 */
const SHARED = ['disk-common', 'server-common', 'slot', 'bios-loader', 'console'].map(name =>
  dataFile(`live/root/usr/lib/pilotlight/${name}`),
)

/** The names of the lists in images/live/drivers/, one after another. */
function driversOf(...lists: readonly string[]): string[] {
  const names = lists.flatMap(name => driverNames(readFileSync(dataFile(`live/drivers/${name}`), 'utf8')))
  return [...new Set(names)]
}

/**
 * The drivers in each initrd. That of servers has those of virtual machines, too, so that it boots whatever a rack has;
 * the other one is smaller, and an emulated machine unpacks it sooner.
 */
export const INITRD_DRIVERS = {
  'initrd.img': driversOf('common', 'server', 'vm'),
  'initrd-vm.img': driversOf('common', 'vm'),
} as const

/** What is in one folder with `initrd.img` and is not part of a slot: the other initrd. */
export const BESIDE_INITRD = ['initrd-vm.img'] as const

/**
 * `vmlinuz`, `initrd.img` for servers, `initrd-vm.img` for virtual machines, and `microcode.img`: an archive for Intel's and
 * AMD's processors that is loaded in front of an initrd, not compressed, since the kernel looks for it before it unpacks
 * anything (its Documentation/arch/x86/microcode.rst; Debian's kernel takes no microcode later than that).
 */
export const initrdRecipe: Recipe = {
  name: 'live-initrd',
  title: 'live system: kernel and initrds',
  inputs: {
    scripts: scriptTexts('make-initrd.sh', 'overlay.sh'),
    module: textsBelow(dracutModule),
    network: readFileSync(networkFile, 'utf8'),
    shared: SHARED.map(path => readFileSync(path, 'utf8')),
    journal: readFileSync(journalFile, 'utf8'),
    drivers: INITRD_DRIVERS,
    microcode: 1,
  },
  needs: [liveRootRecipe, ignitionRecipe],
  async build(work) {
    const root = join(work.needs[liveRootRecipe.name]!, 'root') // both are in `needs`
    const ignition = work.needs[ignitionRecipe.name]!
    const release = await kernelRelease(root)
    const modules = join(root, 'usr/lib/modules', release)
    const [index, builtin] = await Promise.all(
      ['modules.dep', 'modules.builtin'].map(name => readFile(join(modules, name), 'utf8')),
    )
    const drivers = join(work.directory, '.drivers')
    await mkdir(drivers)
    for (const [name, names] of Object.entries(INITRD_DRIVERS)) {
      requireDrivers(names, parseModulesDep(index ?? '').keys(), builtin ?? '', release)
      await writeFile(join(drivers, name), `${names.join('\n')}\n`)
    }
    work.stage.waiting('dracut')
    // dracut prints each of its steps; the longest silence is the compression's.
    const silence = { silenceSeconds: 900 }
    const options = [ignition, dracutModule, networkFile, journalFile, drivers, ...SHARED]
    await isolated(work, silence, 'bash', [script, root, work.directory, ...options])
    await rm(drivers, { recursive: true })
    await writeFile(
      join(work.directory, 'microcode.img'),
      await microcodeArchive(join(root, 'usr/lib/firmware')),
    )
  },
}

/** All microcode in a firmware folder, where the kernel looks for it: one file for each maker of processors. */
async function microcodeArchive(firmware: string): Promise<Uint8Array> {
  const joined = async (folder: string, wanted: RegExp) => {
    const names = (await readdir(join(firmware, folder))).filter(name => wanted.test(name)).toSorted()
    return Buffer.concat(await Promise.all(names.map(name => readFile(join(firmware, folder, name)))))
  }
  const folders = ['kernel/', 'kernel/x86/', 'kernel/x86/microcode/'].map(path => ({ path, mode: 0o755 }))
  return cpioArchive([
    ...folders,
    {
      path: 'kernel/x86/microcode/GenuineIntel.bin',
      mode: 0o644,
      content: await joined('intel-ucode', /^[0-9a-f]{2}-[0-9a-f]{2}-[0-9a-f]{2}$/),
    },
    {
      path: 'kernel/x86/microcode/AuthenticAMD.bin',
      mode: 0o644,
      content: await joined('amd-ucode', /^microcode_amd.*\.bin$/),
    },
  ])
}
