// A machine as namespaces of this host: the same network boot, root image and Ignition as any machine, then systemd
// as process 1 at native speed. It shares the host's kernel: a rack for tests, not a wall against what runs in it.

import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { endProcess, markProcess, signalProcess } from '#host/process.ts'
import { shellWord } from '#host/shell.ts'
import { messageOf, waitUntil } from '#progress/wait.ts'
import {
  inNamespace,
  MACHINE_INTERFACE,
  machineNamespace,
  namespacePath,
  plugContainer,
  processesIn,
  removeNamespace,
} from '../network.ts'
import { planCgroups } from './cgroups.ts'
import { cutDisk, diskOf, loopsOf, makeDisk, processesOf } from './container-disk.ts'
import { readGuest } from './hardware.ts'
import type { Hardware, RunningMachine } from './hardware.ts'

/** SIGRTMIN+4 in the C library of Debian: systemd as process 1 powers off. */
const POWER_OFF_SIGNAL = 38
/** How util-linux reports that process 1 of a PID namespace asked for a reboot: it dies by SIGHUP (reboot(2)). */
const ENDED_BY_REBOOT = 128 + 1
/** Where a machine's commands are: Debian's places for root. */
export const COMMAND_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const BOOT_SCRIPT = join(import.meta.dirname, 'container-boot.sh')

/** Powers the machine on: new namespaces and control groups, and the boot in them. */
export async function startContainer(hardware: Hardware): Promise<RunningMachine> {
  const { rack, machine, directory } = hardware
  await plugContainer(rack, machine)
  const cgroups = planCgroups(readFileSync('/proc/self/mounts', 'utf8'), cgroupName(hardware))
  for (const folder of cgroups.folders) makeCgroup(folder, machine.memoryMiB)
  const table = join(directory, 'cgroups.table')
  writeFileSync(table, cgroups.table)
  const disk = diskOf(directory)
  if (machine.diskGiB !== undefined) makeDisk(disk, machine.diskGiB)
  const memory = join(directory, 'memory')
  mkdirSync(memory, { recursive: true })
  const namespace = machineNamespace(rack.name, machine.name)
  const words = [...inNamespace(namespace), 'unshare', '--mount', '--propagation', 'slave', 'sh', BOOT_SCRIPT]
  const boot = words.map(shellWord).join(' ')
  const child = spawn('script', ['--quiet', '--flush', '--return', '--command', boot, '/dev/null'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: COMMAND_PATH,
      SHELL: '/bin/sh',
      MEMORY: memory,
      NODE: process.execPath,
      MAC: machine.mac,
      UUID: machine.uuid,
      INTERFACE: MACHINE_INTERFACE,
      GUEST: hardware.guestFile,
      CGROUPS: cgroups.folders.join(' '),
      CGROUP_TABLE: table,
      DISK: machine.diskGiB === undefined ? '' : disk.file,
      SLOT: disk.slot,
      BOOT: machine.boot ?? 'disk',
    },
  })
  child.stdout.on('data', (bytes: Buffer) => hardware.console(bytes))
  child.stderr.on('data', (bytes: Buffer) => hardware.console(bytes))
  const ended = new Promise<'reset' | 'off'>(resolve => {
    child.on('error', error => hardware.console(Buffer.from(`No power: ${error.message}\n`)))
    child.on('close', status => resolve(status === ENDED_BY_REBOOT ? 'reset' : 'off'))
  })
  const cutPower = (): void => {
    const guest = readGuest(hardware.guestFile)
    if (machine.diskGiB !== undefined) cutDisk(disk, processesOf(namespacePath(namespace), guest?.pid))
    if (!guest || !signalProcess(guest, 'SIGKILL')) child.kill('SIGKILL')
    thawContainer(hardware)
  }
  const pressPower = (): void => {
    const guest = readGuest(hardware.guestFile)
    if (!guest || !signalProcess(guest, POWER_OFF_SIGNAL)) cutPower() // in its network boot nothing listens
  }
  return { ended, pressPower, cutPower }
}

/**
 * Lets processes go on that are frozen in the machine's control groups of version 1, so that they can end: runc freezes a container
 * for a moment, and a power cut in it leaves processes that no SIGKILL reaches. To be called once the machine's process 1 has had one,
 * after which nothing freezes any more. Safe to repeat.
 */
export function thawContainer(hardware: Pick<Hardware, 'rack' | 'machine'>): void {
  const { folders } = planCgroups(readFileSync('/proc/self/mounts', 'utf8'), cgroupName(hardware))
  for (const folder of folders) thawTree(folder)
}

function thawTree(folder: string): void {
  let entries
  try {
    entries = readdirSync(folder, { withFileTypes: true })
    // The machine's own folder has this file too; that of the tree's root has none.
    if (entries.some(({ name }) => name === 'freezer.state'))
      writeFileSync(join(folder, 'freezer.state'), 'THAWED')
  } catch (error) {
    if (['ENOENT', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '')) return // it has just been removed
    throw error
  }
  for (const entry of entries) if (entry.isDirectory()) thawTree(join(folder, entry.name))
}

/**
 * Removes what a machine leaves behind: processes of an unfinished boot, namespace, control groups. Safe to repeat.
 *
 * @throws {WaitedTooLong} when a control group still has processes after 5 s, or the disk is in use after 20 s
 */
export async function removeContainer(
  hardware: Pick<Hardware, 'rack' | 'machine' | 'directory'>,
): Promise<void> {
  const namespace = machineNamespace(hardware.rack.name, hardware.machine.name)
  const disk = diskOf(hardware.directory)
  thawContainer(hardware)
  for (const pid of await processesIn(namespace)) {
    const mark = markProcess(pid)
    if (mark) await endProcess(mark, 0)
  }
  await removeNamespace(namespace)
  const { folders } = planCgroups(readFileSync('/proc/self/mounts', 'utf8'), cgroupName(hardware))
  for (const folder of folders)
    await waitUntil(`control group ${folder} is empty`, { limitSeconds: 5, everyMs: 20 }, () => {
      removeTree(folder)
      return Promise.resolve({ value: true })
    })
  if (hardware.machine.diskGiB !== undefined)
    await waitUntil('the disk is free', { limitSeconds: 20, everyMs: 20 }, () => {
      const loops = loopsOf(disk.file) // the kernel unmounts it once the last process has ended
      return Promise.resolve(loops.length === 0 ? { value: true } : { not: `${loops.join()} has it` })
    })
}

/** The machine's folder in each of the host's cgroup trees. */
function cgroupName({ rack, machine }: Pick<Hardware, 'rack' | 'machine'>): string {
  return machineNamespace(rack.name, machine.name)
}

function makeCgroup(folder: string, memoryMiB: number | undefined): void {
  mkdirSync(folder, { recursive: true })
  const tree = dirname(folder)
  if (tree.endsWith('/cpuset'))
    // a v1 cpuset takes no process before it has processors and memory nodes
    for (const file of ['cpuset.cpus', 'cpuset.mems'])
      writeFileSync(join(folder, file), readFileSync(join(tree, file)))
  if (tree.endsWith('/memory') && memoryMiB !== undefined)
    writeFileSync(join(folder, 'memory.limit_in_bytes'), String(memoryMiB * 1024 * 1024))
  if (tree === '/sys/fs/cgroup') prepareUnified(tree, folder, memoryMiB)
}

/** cgroup v2: what the machine's systemd may use must be switched on in the tree above it. */
function prepareUnified(tree: string, folder: string, memoryMiB: number | undefined): void {
  const controllers = readFileSync(join(tree, 'cgroup.controllers'), 'utf8').trim().split(' ')
  for (const controller of controllers)
    try {
      writeFileSync(join(tree, 'cgroup.subtree_control'), `+${controller}`)
    } catch (error) {
      process.stderr.write(`cgroup v2 controller ${controller} stays off: ${messageOf(error)}\n`)
    }
  if (memoryMiB !== undefined) writeFileSync(join(folder, 'memory.max'), String(memoryMiB * 1024 * 1024))
}

/** Removes a cgroup folder from its leaves up; files in it are the kernel's and go with it. */
function removeTree(folder: string): void {
  let entries
  try {
    entries = readdirSync(folder, { withFileTypes: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  for (const entry of entries) if (entry.isDirectory()) removeTree(join(folder, entry.name))
  rmdirSync(folder)
}
