// A machine as an emulated computer: SeaBIOS or OVMF, their own network boot, none of our code before the kernel.

import { spawn } from 'node:child_process'
import { copyFileSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { run } from '#host/command.ts'
import { markProcess } from '#host/process.ts'
import { LabError } from '../errors.ts'
import { cardPort, inNamespace, plugTaps, rackNamespace } from '../network.ts'
import type { NetworkCard, Rack, RackMachine } from '../rack.ts'
import { diskArguments, makeDisks, startCache } from './disks.ts'
import type { Hardware, RunningMachine } from './hardware.ts'
import { loadMedium, mediumArguments } from './medium.ts'
import { startTpm, TPM_ARGUMENTS } from './tpm.ts'

const FIRMWARE = '/usr/share/OVMF/OVMF_CODE_4M.fd'
/** The build that checks signatures; it keeps its variables by SMM. */
const SECURE_FIRMWARE = '/usr/share/OVMF/OVMF_CODE_4M.secboot.fd'
const EMPTY_VARIABLES = '/usr/share/OVMF/OVMF_VARS_4M.fd'
const DEFAULT_MEMORY_MIB = 4096
const DEFAULT_CPUS = 2
/** The file descriptor on which QEMU finds its control socket (QMP), made by us and inherited. */
const CONTROL = 3
/** QEMU's program: another one than the host's, such as a newer one that was unpacked somewhere. */
const QEMU = process.env['PILOTLIGHT_QEMU'] ?? 'qemu-system-x86_64'
/** The first version of QEMU that has the card igb. */
const IGB_SINCE = 8

/**
 * Powers the machine on. Disks, firmware variables and TPM are made when it first gets power, and kept.
 *
 * @throws {LabError} NO_TOOL when a program is missing, or QEMU is too old for a card
 */
export async function startQemu(hardware: Hardware): Promise<RunningMachine> {
  const { rack, machine, directory } = hardware
  const { disks = [] } = machine
  await expectCards(machine)
  await plugTaps(rack, machine)
  const variables = join(directory, 'firmware-variables.fd')
  if (machine.firmware === 'uefi' && !existsSync(variables))
    copyFileSync(machine.variables ?? EMPTY_VARIABLES, variables)
  makeDisks(directory, disks)
  await loadMedium(hardware)
  const volatile = disks.flatMap(({ cache }, at) => (cache === 'volatile' ? [at] : []))
  const caches = await Promise.all(volatile.map(at => startCache(hardware, at)))
  const tpm = machine.tpm ? await startTpm(hardware) : undefined
  const [enter = '', ...words] = inNamespace(rackNamespace(rack.name))
  const child = spawn(enter, [...words, QEMU, ...qemuArguments(rack, machine)], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  child.stdout?.on('data', (bytes: Buffer) => hardware.console(bytes))
  child.stderr?.on('data', (bytes: Buffer) => hardware.console(bytes))
  const control = child.stdio[CONTROL] as Duplex // a pipe of Node is a socket pair, both ways
  control.on('error', () => {}) // it ends with QEMU
  control.write('{"execute":"qmp_capabilities"}\n')
  control.resume()
  const mark = markProcess(child.pid ?? 0)
  if (mark) writeFileSync(hardware.guestFile, `${mark.pid} ${mark.startTicks}\n`) // nsenter becomes QEMU, same pid
  const clean = () => Promise.all([tpm?.end(), ...caches.map(cache => cache.end())])
  return {
    ended: new Promise(resolve => {
      child.on('error', error => hardware.console(Buffer.from(`No power: ${error.message}\n`)))
      // A reset stays inside QEMU.
      child.on('close', () => void clean().finally(() => resolve('off')))
    }),
    pressPower: () => void control.write('{"execute":"system_powerdown"}\n'),
    cutPower: () => {
      for (const cache of caches) cache.cut()
      child.kill('SIGKILL')
    },
    reset: () => {
      control.write('{"execute":"system_reset"}\n')
      return true
    },
  }
}

/** Refuses a card that this host's QEMU does not have. */
async function expectCards(machine: RackMachine): Promise<void> {
  if (!machine.network?.some(({ card }) => card === 'igb')) return
  const { stdout } = await run(QEMU, ['--version'], { limitSeconds: 10 })
  const [, version = ''] = /version (\d+)/.exec(stdout) ?? []
  if (Number(version) >= IGB_SINCE) return
  const what = `${machine.name} has a card igb, which QEMU has since version ${IGB_SINCE}; this is ${version}.`
  const remedy =
    'on Debian 12 QEMU 10 is in the suite bookworm-backports: apt-get install -t bookworm-backports qemu-system-x86;\n' +
    '  or name another program:  PILOTLIGHT_QEMU=/path/of/qemu-system-x86_64'
  throw new LabError('NO_TOOL', `${what} Fix: ${remedy}`, { remedy })
}

/**
 * The command line of the machine's QEMU, run in the machine's folder. Emulation (TCG) unless the rack file asks for
 * KVM. The CPU model is the plainest one: richer models cost more in emulation; without `svm` the guest loads no
 * hypervisor. Without graphics the firmware speaks on the serial port.
 */
export function qemuArguments(rack: Rack, machine: RackMachine): string[] {
  const kvm = machine.accelerator === 'kvm'
  const { disks = [], serial, clock } = machine
  const cards = cardsOf(machine)
  const places = bootOrder(machine, disks.length, cards.length)
  const secure = machine.secureBoot === true
  const groups = [
    ['-name', machine.name, '-uuid', machine.uuid, '-machine', `q35,graphics=off${secure ? ',smm=on' : ''}`],
    ['-accel', kvm ? 'kvm' : 'tcg,thread=multi', '-cpu', kvm ? 'host' : 'qemu64,-svm'],
    ['-smp', String(machine.cpus ?? DEFAULT_CPUS), '-m', String(machine.memoryMiB ?? DEFAULT_MEMORY_MIB)],
    clock === undefined ? [] : ['-rtc', `base=${clock}`],
    serial === undefined ? [] : ['-smbios', `type=1,serial=${serial},uuid=${machine.uuid}`],
    ['-nodefaults', '-display', 'none', '-serial', 'stdio', '-device', 'virtio-rng-pci'],
    ['-chardev', `socket,id=control,fd=${CONTROL}`, '-mon', 'chardev=control,mode=control'],
    ...cards.map((card, at) => cardArguments(rack, machine, card, at, places.network + at)),
    machine.firmware === 'uefi' ? firmwareArguments(secure) : [],
    diskArguments(disks, places.disk),
    mediumArguments(machine, places.medium),
    machine.tpm ? TPM_ARGUMENTS : [],
  ]
  return groups.flat()
}

function cardsOf({ mac, network }: RackMachine): readonly NetworkCard[] {
  return network ?? [{ card: 'virtio', mac }]
}

/** Where each kind of device begins in the firmware's order, which counts from 1. */
function bootOrder(
  { boot = 'disk' }: RackMachine,
  disks: number,
  cards: number,
): Record<'disk' | 'network' | 'medium', number> {
  const counts = { disk: disks, network: cards, medium: 1 }
  const rest = (['disk', 'network', 'medium'] as const).filter(kind => kind !== boot)
  const places = { disk: 1, network: 1, medium: 1 }
  let next = 1
  for (const kind of [boot, ...rest]) {
    places[kind] = next
    next += counts[kind]
  }
  return places
}

const CARD_DEVICES = {
  virtio: 'virtio-net-pci',
  e1000e: 'e1000e',
  vmxnet3: 'vmxnet3',
  igb: 'igb',
  e1000: 'e1000',
  rtl8139: 'rtl8139',
} as const

/**
 * A card and its cable. Its option ROM is iPXE. OVMF has its own driver for virtio alone: that card gets an empty ROM, so
 * that OVMF's own PXE client boots; the other cards need iPXE's ROM.
 */
function cardArguments(
  rack: Rack,
  machine: RackMachine,
  { card, mac }: NetworkCard,
  at: number,
  place: number,
): string[] {
  const id = at === 0 ? 'net' : `net${at + 1}`
  const ownClient = machine.firmware === 'uefi' && card === 'virtio'
  return [
    '-netdev',
    `tap,id=${id},ifname=${cardPort(rack, machine, at)},script=no,downscript=no`,
    '-device',
    `${CARD_DEVICES[card]},netdev=${id},mac=${mac},bootindex=${place}${ownClient ? ',romfile=' : ''}`,
  ]
}

function firmwareArguments(secure: boolean): string[] {
  const code = secure ? SECURE_FIRMWARE : FIRMWARE
  const words = ['-drive', `if=pflash,format=raw,readonly=on,file=${code}`]
  const variables = ['-drive', 'if=pflash,format=raw,file=firmware-variables.fd']
  const protection = secure ? ['-global', 'driver=cfi.pflash01,property=secure,value=on'] : []
  return [...protection, ...words, ...variables]
}
