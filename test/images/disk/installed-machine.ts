// An installed machine as a folder: its programs run as they are, but partitions are files, and what this host's kernel cannot do
// (mounting FAT and squashfs, dm-verity) is recorded.

import { hash } from 'node:crypto'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { run } from '#host/command.ts'
import { NEW, OLD } from '../../server/upgrade-rack.ts'

const programs = resolve('images/live/root/usr/lib/pilotlight')

/** Labels of partitions are files in /run/labels; each call is in /run/calls. */
const SGDISK = `#!/bin/sh
echo "sgdisk $*" >> /run/calls
[ ! -e /run/broken ] || { echo "Problem opening the disk for writing"; exit 4; }
for word; do case $word in
--info=*) printf "Partition name: '%s'\\n" "$(cat /run/labels/\${word#--info=})" ;;
--change-name=*) word=\${word#--change-name=}; echo "\${word#*:}" > /run/labels/\${word%%:*} ;;
esac; done
`
const MOUNT = `#!/bin/sh
echo "mount $*" >> /run/calls
for last; do :; done
case "$*" in *squashfs*)
  mkdir -p $last/usr/lib/systemd
  [ ! -e /run/image ] || cp -R /run/image/. $last/
esac
`
const recorded = (name: string, more = '') => `#!/bin/sh\necho "${name} $*" >> /run/calls\n${more}`

export const ROOT_IMAGE = 'the new root image'.padEnd(8192, '.')
export const TREE = 'its hash tree'.padEnd(4096, '.')
const FILES: Readonly<Record<string, string>> = {
  'rootfs.squashfs': ROOT_IMAGE,
  'rootfs.verity': TREE,
  vmlinuz: 'a kernel',
  'initrd.img': 'an initrd',
  'pilotlight.efi': 'a unified kernel image',
  'systemd-bootx64.efi': 'the loader',
  'loader.conf': 'timeout 0',
}

/** Of a partition of a slot. */
const PARTITION_BYTES = 16 << 20

/** Writes a file of the slot, and slot.json, where a server has them; gives the SHA-256 of slot.json. */
export function writeSlotFiles(assets: string, changed: Readonly<Record<string, Uint8Array>> = {}): string {
  const roothash = NEW.padEnd(64, '0')
  const files: Record<string, { sha256: string; bytes: number }> = {}
  for (const [name, content] of Object.entries({ ...FILES, ...changed })) {
    writeFileSync(join(assets, name), content)
    files[name] = { sha256: hash('sha256', content), bytes: content.length }
  }
  const cmdline = `pilotlight.disk roothash=${roothash}`
  const text = JSON.stringify({ version: NEW, roothash, files, cmdline })
  writeFileSync(join(assets, 'slot.json'), text)
  return hash('sha256', text)
}

/**
 * A machine in `folder` that runs version {@link OLD} from slot a, and whose slot b holds one whose attempts are spent; `assets` gets the
 * files of {@link NEW}. It starts by UEFI.
 */
export function installedMachine(folder: string, assets: string) {
  const at = (path: string) => join(folder, path)
  writeSlotFiles(assets)
  for (const path of [
    'run/labels',
    'run/pilotlight/esp/EFI/Linux',
    'run/pilotlight/esp/EFI/systemd',
    'run/pilotlight/esp/loader',
    'run/pilotlight/state/pilotlight',
    'bin',
  ])
    mkdirSync(at(path), { recursive: true })
  cpSync(programs, at('lib'), { recursive: true })
  const disk = (version: string, slot: string) =>
    writeFileSync(
      at('run/pilotlight/disk.env'),
      `DISKS=${at('disk')}\nSLOT=${slot}\nVERSION=${version}\nENTERED=disk\n`,
    )
  disk(OLD, 'a')
  const labels = (a: string, b: string) => {
    for (const [number, version] of [a, a, b, b].entries())
      writeFileSync(at(`run/labels/${number + 3}`), `pilotlight_${version}\n`)
  }
  labels(OLD, '000000000000')
  for (const number of [5, 6]) {
    writeFileSync(at(`disk${number}`), '')
    truncateSync(at(`disk${number}`), PARTITION_BYTES)
  }
  const entries = (...names: readonly string[]) => {
    rmSync(at('run/pilotlight/esp/EFI/Linux'), { recursive: true })
    mkdirSync(at('run/pilotlight/esp/EFI/Linux'))
    for (const name of names) writeFileSync(at(`run/pilotlight/esp/EFI/Linux/${name}`), 'x')
  }
  entries(`pilotlight_1-${OLD}.efi`, 'pilotlight_2-000000000000+0-3.efi')
  const recordedPrograms = {
    sgdisk: SGDISK,
    mount: MOUNT,
    umount: recorded('umount'),
    veritysetup: recorded('veritysetup'),
    systemctl: recorded('systemctl'),
    blockdev: recorded('blockdev', 'stat --format %s "$2"'),
  }
  /** Has a program of the machine be another one. */
  const program = (name: string, text: string) => {
    writeFileSync(at(`bin/${name}`), text)
    chmodSync(at(`bin/${name}`), 0o755)
  }
  for (const [name, text] of Object.entries(recordedPrograms)) program(name, text)
  writeFileSync(at('run/pilotlight/esp/EFI/systemd/systemd-bootx64.efi'), 'the loader')
  writeFileSync(at('run/pilotlight/esp/loader/loader.conf'), 'timeout 5')
  const calls = () =>
    existsSync(at('run/calls')) ? readFileSync(at('run/calls'), 'utf8').trimEnd().split('\n') : []
  /** Runs `slot` with these arguments on a kernel with this command line, after shell commands; what is mounted then is in run/mounts. */
  const slot = (
    args: readonly string[],
    cmdline = `pilotlight.disk pilotlight.slot=${OLD}`,
    before = ':',
  ) => {
    writeFileSync(at('cmdline'), `${cmdline}\n`)
    const prepare = [
      'cd "$0" && mount --bind run /run && mount -t tmpfs none /sys/firmware && mkdir /sys/firmware/efi',
      'mount --bind cmdline /proc/cmdline',
      before,
      'PATH=$0/bin:$PATH PILOTLIGHT_LIB=$0/lib sh "$0/lib/slot" "$@"; ended=$?; cat /proc/mounts > /run/mounts; exit $ended',
    ].join(' && ')
    return run('unshare', ['--mount', 'sh', '-c', prepare, folder, ...args], { limitSeconds: 60 })
  }
  return { at, disk, labels, entries, program, calls, slot }
}
