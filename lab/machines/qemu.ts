// A machine as an emulated computer: SeaBIOS or OVMF, their own network boot, none of our code before the kernel.

import { spawn } from 'node:child_process'
import { copyFileSync, existsSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { inNamespace, plugTap, portName, rackNamespace } from '../network.ts'
import { markProcess } from '#host/process.ts'
import type { Rack, RackMachine } from '../rack.ts'
import type { Hardware, RunningMachine } from './hardware.ts'
import { startTpm, TPM_ARGUMENTS } from './tpm.ts'

const FIRMWARE = '/usr/share/OVMF/OVMF_CODE_4M.fd'
const EMPTY_VARIABLES = '/usr/share/OVMF/OVMF_VARS_4M.fd'
const DEFAULT_MEMORY_MIB = 4096
const DEFAULT_CPUS = 2
/** The file descriptor on which QEMU finds its control socket (QMP), made by us and inherited. */
const CONTROL = 3

/** Powers the machine on. Disk, firmware variables and TPM are made when it first gets power, and kept. */
export async function startQemu(hardware: Hardware): Promise<RunningMachine> {
  const { rack, machine, directory } = hardware
  await plugTap(rack, machine)
  const variables = join(directory, 'firmware-variables.fd')
  if (machine.firmware === 'uefi' && !existsSync(variables)) copyFileSync(EMPTY_VARIABLES, variables)
  const disk = join(directory, 'disk.img')
  if (machine.diskGiB !== undefined && !existsSync(disk)) {
    writeFileSync(disk, '')
    truncateSync(disk, machine.diskGiB * 1024 ** 3)
  }
  const tpm = machine.tpm ? await startTpm(hardware) : undefined
  const [enter = '', ...words] = inNamespace(rackNamespace(rack.name))
  const child = spawn(enter, [...words, 'qemu-system-x86_64', ...qemuArguments(rack, machine)], {
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
  return {
    ended: new Promise(resolve => {
      child.on('error', error => hardware.console(Buffer.from(`No power: ${error.message}\n`)))
      // A reset stays inside QEMU.
      child.on('close', () => void (tpm?.end() ?? Promise.resolve()).finally(() => resolve('off')))
    }),
    pressPower: () => void control.write('{"execute":"system_powerdown"}\n'),
    cutPower: () => void child.kill('SIGKILL'),
  }
}

/**
 * The command line of the machine's QEMU, run in the machine's folder. Emulation (TCG) unless the rack file asks for
 * KVM. The CPU model is the plainest one: richer models cost more in emulation; without `svm` the guest loads no
 * hypervisor. Without graphics the firmware speaks on the serial port. UEFI gets an empty option ROM, so that OVMF's own PXE client boots and not the ROM's iPXE.
 */
export function qemuArguments(rack: Rack, machine: RackMachine): string[] {
  const kvm = machine.accelerator === 'kvm'
  const uefi = machine.firmware === 'uefi'
  const disk = machine.diskGiB !== undefined
  const groups = [
    ['-name', machine.name, '-uuid', machine.uuid, '-machine', 'q35,graphics=off'],
    ['-accel', kvm ? 'kvm' : 'tcg,thread=multi', '-cpu', kvm ? 'host' : 'qemu64,-svm'],
    ['-smp', String(machine.cpus ?? DEFAULT_CPUS), '-m', String(machine.memoryMiB ?? DEFAULT_MEMORY_MIB)],
    machine.clock === undefined ? [] : ['-rtc', `base=${machine.clock}`],
    ['-nodefaults', '-display', 'none', '-serial', 'stdio', '-device', 'virtio-rng-pci'],
    ['-chardev', `socket,id=control,fd=${CONTROL}`, '-mon', 'chardev=control,mode=control'],
    ['-netdev', `tap,id=net,ifname=${portName(rack, machine)},script=no,downscript=no`],
    [
      '-device',
      `virtio-net-pci,netdev=net,mac=${machine.mac},bootindex=${disk ? 2 : 1}${uefi ? ',romfile=' : ''}`,
    ],
    uefi ? ['-drive', `if=pflash,format=raw,readonly=on,file=${FIRMWARE}`] : [],
    uefi ? ['-drive', 'if=pflash,format=raw,file=firmware-variables.fd'] : [],
    disk ? ['-drive', 'file=disk.img,if=none,id=disk,format=raw,cache=unsafe,discard=unmap'] : [],
    disk ? ['-device', 'virtio-blk-pci,drive=disk,bootindex=1'] : [],
    machine.tpm ? TPM_ARGUMENTS : [],
  ]
  return groups.flat()
}
