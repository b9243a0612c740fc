// A disk as an installation partitions it, as far as loaders are concerned, made in files: the kernel of this host may have
// neither GPT nor FAT. And a machine of QEMU that starts from it.

import { spawn } from 'node:child_process'
import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { run } from '#host/command.ts'
import { waitUntil } from '#progress/wait.ts'

/** The program that installs GRUB. */
export const BIOS_LOADER = resolve('images/live/root/usr/lib/pilotlight/bios-loader')

/** Where the partitions are, in sectors of 512 bytes. */
export const BIOS_PARTITION = { start: 2048, sectors: 2048 }
const ESP = { start: 4096, megabytes: 128 }

const limit = { limitSeconds: 60 }

/** A disk with an EFI system partition that holds `files`: paths there, and the files of this host. */
export class Disk {
  readonly path: string
  /** The file system of the EFI system partition. */
  readonly esp: string

  private constructor(directory: string) {
    this.path = join(directory, 'disk.raw')
    this.esp = join(directory, 'esp')
  }

  static async make(directory: string, files: Readonly<Record<string, string>>): Promise<Disk> {
    const disk = new Disk(directory)
    for (const [path, megabytes] of [
      [disk.path, ESP.megabytes + 4],
      [disk.esp, ESP.megabytes],
    ] as const) {
      writeFileSync(path, '')
      truncateSync(path, megabytes << 20)
    }
    const { start, sectors } = BIOS_PARTITION
    const bios = [`--new=1:${start}:${start + sectors - 1}`, '--typecode=1:ef02', '--change-name=1:bios']
    const esp = [`--new=2:${ESP.start}:+${ESP.megabytes}M`, '--typecode=2:ef00']
    await run('sgdisk', [...bios, ...esp, '--change-name=2:pilotlight-esp', disk.path], limit)
    await run('mkfs.fat', ['-F', '32', '-n', 'PILOTLIGHT', disk.esp], limit)
    const made = new Set<string>()
    for (const [to, from] of Object.entries(files)) {
      const folders = to.split('/').slice(0, -1)
      for (const [index] of folders.entries()) {
        const folder = folders.slice(0, index + 1).join('/')
        if (!made.has(folder)) await run('mmd', ['-i', disk.esp, `::/${folder}`], limit)
        made.add(folder)
      }
      await run('mcopy', ['-i', disk.esp, from, `::/${to}`], limit)
    }
    await disk.#dd([`if=${disk.esp}`, `of=${disk.path}`, `seek=${ESP.start / 2048}`, 'conv=notrunc,sparse'])
    return disk
  }

  /** The names in a folder of the EFI system partition, as the disk has them now. */
  async list(folder: string): Promise<string[]> {
    await this.#read()
    const { stdout } = await run('mdir', ['-b', '-i', this.esp, `::/${folder}`], limit)
    return stdout.split('\n').flatMap(line => line.split('/').at(-1) || [])
  }

  /** The text of a file of the EFI system partition, as the disk has it now. */
  async read(file: string): Promise<string> {
    await this.#read()
    return (await run('mtype', ['-i', this.esp, `::/${file}`], limit)).stdout
  }

  async #read(): Promise<void> {
    const from = [`if=${this.path}`, `skip=${ESP.start / 2048}`, `count=${ESP.megabytes}`]
    await this.#dd([...from, `of=${this.esp}`, 'conv=sparse'])
  }

  async #dd(args: readonly string[]): Promise<void> {
    await run('dd', ['bs=1M', 'status=none', ...args], limit)
  }
}

/** What each machine has: 512 MiB, a serial port, and a disk to start from. A reset ends it. */
const FIXED =
  '-accel tcg -cpu qemu64,-svm -m 512 -nodefaults -display none -no-reboot -device virtio-blk-pci,drive=disk,bootindex=1'.split(
    ' ',
  )

const FLASH = 'if=pflash,format=raw'

/** How a machine starts. */
export type Machine = {
  readonly disk: Disk
  /** OVMF's files: the program, and the machine's own copy of the variables. SeaBIOS without. */
  readonly ovmf?: { readonly code: string; readonly variables: string }
  /** Further arguments of QEMU. */
  readonly args?: readonly string[]
}

/**
 * Starts the machine, and pulls its plug once its serial console has shown `text`; gives what the console showed.
 *
 * @throws when it does not show it in time
 */
export async function startUntil(
  machine: Machine,
  text: RegExp,
  log: string,
  limitSeconds = 120,
): Promise<string> {
  const { disk, ovmf, args = [] } = machine
  writeFileSync(log, '')
  const child = spawn(
    'qemu-system-x86_64',
    [
      ...FIXED,
      '-machine',
      ovmf === undefined ? 'q35' : 'q35,smm=on',
      '-serial',
      `file:${log}`,
      '-drive',
      `file=${disk.path},if=none,id=disk,format=raw,cache=unsafe`,
      ...(ovmf === undefined ? [] : ['-drive', `${FLASH},file=${ovmf.code},readonly=on`]),
      ...(ovmf === undefined ? [] : ['-drive', `${FLASH},file=${ovmf.variables}`]),
      ...args,
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  const ended = new Promise(done => child.once('close', done))
  try {
    return await waitUntil(`the console shows ${String(text)}`, { limitSeconds }, async () => {
      const shown = readFileSync(log, 'latin1')
      if (text.test(shown)) return { value: shown }
      if (child.exitCode !== null) throw new Error(`The machine ended before that:\n${shown.slice(-2000)}`)
      return { not: shown.trimEnd().split('\n').at(-1) ?? '' }
    })
  } finally {
    child.kill('SIGKILL')
    await ended
  }
}

/** A machine's own copy of OVMF's variables, and the program that belongs to them. */
export function ovmfIn(directory: string): { readonly code: string; readonly variables: string } {
  const variables = join(directory, 'variables.fd')
  copyFileSync('/usr/share/OVMF/OVMF_VARS_4M.fd', variables)
  return { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', variables }
}
