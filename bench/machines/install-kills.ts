// Does a machine whose install loses its power come back by itself? A machine of QEMU, with real firmware and the real server, installs the
// live system to a disk with a volatile cache; at a moment its QEMU is ended by SIGKILL, and so is the cache of its disk, so that what
// was not flushed is lost. The disk is judged as it is then (disk-state.ts), the power comes back, and the machine goes on without a person: it
// begins the install anew, or, if the disk is whole, starts from it. Five cuts a chain, at later and later moments, each in the install that the cut
// before it began anew; the boot after the fifth has its server killed by SIGKILL while it installs, and started again after 5 s, as a unit of systemd does; it
// must come to `ready`. In the first two chains the installing program itself is killed by SIGKILL before that, inside the initrd, and the machine has to go on
// without a change of its power. A chain begins with an empty disk and an empty server. Before the first of a firmware there is an install that nothing
// disturbs, which says how much an install writes; `--records DIR` keeps each write of it, as install-cuts.ts reads them, with its slot.json.
//
//   sudo node_modules/.bin/node bench/machines/install-kills.ts docs/runs/DATE-install-kills.jsonl [--image small|whole] [--only 0,1,2,3] [--records DIR]
//
// A record has a line a cut and a line an end of a chain. The same command goes on after an interruption: with the first cut that is not in the record.
// `small` (default) is the live system without containers' images, firmware and Kubernetes' programs, about a fifth of it: the steps of an install are
// the same, and on this emulated machine it takes minutes less. Needs what `lab up` needs, nbdkit, sgdisk, mtools, squashfs-tools.

import { spawn } from 'node:child_process'
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { parseArgs } from 'node:util'
import { stringify } from 'yaml'
import { tokenIn } from '#client/credentials.ts'
import { ServerClient } from '#client/server.ts'
import { findArtefact, obtain, type Recipe } from '#host/cache.ts'
import { run } from '#host/command.ts'
import { signalProcess } from '#host/process.ts'
import { placeAssets } from '#images/assets.ts'
import { findImages } from '#images/build.ts'
import { initrdRecipe } from '#images/initrd.ts'
import { DEFAULT_KUBERNETES } from '#images/references.ts'
import { rootfsRecipe } from '#images/rootfs.ts'
import { readSlot, slotRecipe } from '#images/slot.ts'
import { openLab, type Lab } from '#lab/lab.ts'
import { makeDisks, startCache } from '#lab/machines/disks.ts'
import { qemuArguments } from '#lab/machines/qemu.ts'
import { plugTaps } from '#lab/network.ts'
import { readRack } from '#lab/rack.ts'
import { stopServer } from '#lab/server.ts'
import { labFiles, machineFiles, readState, type ServerState } from '#lab/state.ts'
import type { BootEvent } from '#model/boot.ts'
import { waitUntil } from '#progress/wait.ts'
import type { Slot } from '#model/slot.ts'
import { look, type DiskState } from './disk-state.ts'
import { copyLiveData, withOverInitrd } from './over-initrd.ts'
import { circumstances, openRecord, recordPath, type Circumstances } from '../record.ts'

const ROOT = join(import.meta.dirname, '../..')
const RACKS = join(ROOT, 'lab/racks')
const VARIABLES = '/usr/share/OVMF/OVMF_VARS_4M.fd'
const LAB = `kills-${process.pid}`
const CHAINS = 4
const CUTS = 5
/** Seconds from power-on to a report, and from a report to the next one, on a host that has other work. */
const LIMIT_SECONDS = 1500
/** Seconds until a killed server is started again. */
const SERVER_AWAY_SECONDS = 5
/** The file of a recorded disk's writes in the machine's folder, and such a disk: QEMU's filter between it and its cache. */
const WRITES = 'disk-1.writes'
const RECORDED = [
  'if=none,id=disk1,driver=blklogwrites,file.driver=raw,file.file.driver=nbd,file.file.server.type=unix',
  `file.file.server.path=disk-1.socket,log.driver=file,log.filename=${WRITES}`,
].join(',')
/** What `--image small` leaves out of the root image. */
const LEFT_OUT = ['usr/lib/pilotlight/containerd', 'usr/lib/firmware', 'usr/local/bin', 'opt/cni']

/**
 * When the installing program is killed, by chain: a condition of the initrd's shell. First while a file is written to the slot, then while one is
 * written to the EFI system partition.
 */
const PROGRAM_KILLS = [
  '[ -p /run/pilotlight/slot/pipe ]',
  "grep -qs 'pilotlight[.]efi' /proc/[0-9]*/cmdline", // curl's
]
const PROGRAM_KILLED = 'KILLED the installing program'

type Firmware = 'bios' | 'uefi'
/** What a machine had done with its disk since it got power, as QEMU counts. */
type Done = { readonly flushes: number; readonly bytes: number }
/** A moment of an install: so much of all its flushes, or of all the bytes that it writes. */
type Moment = { readonly of: 'flushes' | 'bytes'; readonly share: number }

/** A line of the record. */
type Line = Circumstances & {
  readonly kind: 'undisturbed' | 'program' | 'cut' | 'end'
  readonly chain: number
  readonly cut?: number
  readonly firmware: Firmware
  readonly image: string
  readonly moment?: Moment
  /** What was done when the power was cut, or when the machine was ready. */
  readonly done: Done
  readonly disk?: DiskState
  /** The machine after its power came back: what it reported first. */
  readonly next?: string
  readonly serverKilledAt?: Done
  readonly passed: boolean
  readonly why?: string
}

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    image: { type: 'string', default: 'small' },
    only: { type: 'string', default: '0,1,2,3' },
    records: { type: 'string' },
  },
})
const path = recordPath(positionals, 'install-kills')

const record = openRecord<Line>(path)
const { commit } = circumstances()
const folder = mkdtempSync(join(tmpdir(), 'install-kills-'))
const assets = join(folder, 'assets')
let imageBytes = 0
try {
  const slot = await placeImages()
  for (let chain = 0; chain < CHAINS; chain += 1) {
    const firmware = chain % 2 === 0 ? 'bios' : 'uefi'
    if (!flags.only.split(',').includes(String(chain))) continue
    const before = record.lines().filter(line => line.passed)
    if (!before.some(line => line.kind === 'undisturbed' && line.firmware === firmware))
      await undisturbed(chain, firmware)
    for (let round = 0; round < CUTS && !isComplete(chain); round += 1) await cutChain(chain, firmware, slot)
  }
} finally {
  rmSync(folder, { recursive: true })
}
const good = (kind: Line['kind']) =>
  new Set(
    record.lines().flatMap(line => (line.kind === kind && line.passed ? [`${line.chain} ${line.cut}`] : [])),
  ).size
console.log(
  `power: ${good('cut')} of ${CHAINS * CUTS} cuts recovered; program: ${good('program')} of ${PROGRAM_KILLS.length} kills; ` +
    `server: ${good('end')} of ${CHAINS} kills, after which a chain ended ready`,
)
for (const { passed, ...line } of record.lines())
  if (!passed) console.log(`did not pass: ${JSON.stringify(line)}`)
if (good('cut') < CHAINS * CUTS || good('end') < CHAINS || good('program') < PROGRAM_KILLS.length)
  process.exitCode = 1

function write(line: Omit<Line, 'date' | 'commit' | 'load' | 'image'>): void {
  const image = `${flags.image}, ${Math.round(imageBytes / 1e6)} MB`
  const whole = { ...circumstances(), image, ...line }
  record.add(whole)
  console.log(JSON.stringify(whole))
}

/** The cuts of a chain that are not in the record. */
function cutsLeft(chain: number): number[] {
  const cuts = new Set(
    record.lines().flatMap(line => (line.chain === chain && line.passed ? [line.cut] : [])),
  )
  return Array.from({ length: CUTS }, (_, cut) => cut).filter(cut => !cuts.has(cut))
}

/** Says whether a chain is done, or has failed with this commit. */
function isComplete(chain: number): boolean {
  const ofChain = record.lines().filter(line => line.chain === chain)
  if (ofChain.some(line => !line.passed && line.commit === commit)) return true
  return cutsLeft(chain).length === 0 && ofChain.some(({ kind, passed }) => kind === 'end' && passed)
}

/** Later cuts of a chain come later in the install; no two of all are at the same share. */
function momentOf(chain: number, cut: number): Moment {
  const share = (cut * CHAINS + chain + 0.5) / (CHAINS * CUTS)
  return { of: (chain + cut) % 2 === 0 ? 'flushes' : 'bytes', share }
}

/** An install that nothing disturbs: how much it writes. */
async function undisturbed(chain: number, firmware: Firmware): Promise<void> {
  await inLab(firmware, async rack => {
    const { records } = flags
    const machine = await rack.powerOn(records !== undefined)
    try {
      await rack.reported(['installed'])
      const done = await machine.done()
      if (records !== undefined) {
        mkdirSync(records, { recursive: true })
        copyFileSync(join(assets, 'live/slot.json'), join(records, `${firmware}.json`))
        copyFileSync(rack.writes, join(records, `${firmware}.writes`))
      }
      await rack.reported(['ready'])
      write({ kind: 'undisturbed', chain, firmware, done, passed: true })
    } finally {
      await machine.cut()
    }
  })
}

/** The cuts `left` of a chain, and what comes after them. */
async function cutChain(chain: number, firmware: Firmware, slot: Slot): Promise<void> {
  const left = cutsLeft(chain)
  const killsProgram =
    chain < PROGRAM_KILLS.length &&
    !record.lines().some(line => line.kind === 'program' && line.chain === chain && line.passed)
  const all = record.lines().find(line => line.kind === 'undisturbed' && line.firmware === firmware)?.done
  if (all === undefined) throw new Error('no install that nothing disturbed is in the record')
  await inLab(firmware, async rack => {
    let machine = await rack.powerOn(false, killsProgram ? chain : undefined)
    if (killsProgram) {
      const done = await rack.reported(['installing']).then(() => machine.done())
      // It says why on its console, waits for a minute, and starts again.
      const next = await rack.reported(['installing', 'ready']).catch(String)
      const text = typeof next === 'string' ? next : next.text
      // Either the install begins anew, or what it had started was whole: then the machine starts from its disk.
      const console = machine.console()
      const restarted = console.indexOf('restarts in 60 s', Math.max(0, console.indexOf(PROGRAM_KILLED)))
      const passed = typeof next !== 'string' && console.includes(PROGRAM_KILLED) && restarted >= 0
      write({ kind: 'program', chain, firmware, done, next: text, passed })
      if (!passed) {
        await machine.cut()
        return
      }
      await machine.countAnew()
    }
    for (const cut of left) {
      const moment = momentOf(chain, cut)
      const wanted = Math.round(moment.share * all[moment.of])
      let done: Done
      try {
        done = await rack.untilDone(machine, moment.of, wanted)
      } finally {
        await machine.cut()
      }
      const disk = look({ file: rack.disk }, { slot, firmware })
      const about = { kind: 'cut', chain, cut, firmware, moment, done, disk } as const
      if (disk.state === 'wrong') {
        write({ ...about, passed: false, why: disk.why })
        return
      }
      machine = await rack.powerOn()
      try {
        // From a whole disk nothing is installed again; from any other nothing is started.
        const next = await rack.reported(['installing', 'ready', 'failed'])
        const fromDisk = /pilotlight\.disk /.test(machine.console()) // on the kernel's command line
        const whole = disk.state === 'whole'
        const passed = fromDisk === whole && next.kind === (whole ? 'ready' : 'installing')
        const why = `reported ${next.kind}, and ${fromDisk ? 'started' : 'did not start'} from the disk`
        write({ ...about, next: next.text, passed, ...(passed ? {} : { why }) })
        if (!passed || whole) {
          await machine.cut()
          if (passed) write({ kind: 'end', chain, firmware, done, next: 'ready from its disk', passed })
          return
        }
      } catch (error) {
        await machine.cut()
        write({ ...about, passed: false, why: String(error) })
        return
      }
    }
    try {
      const serverKilledAt = await rack.untilDone(
        machine,
        'bytes',
        Math.round((0.2 + chain * 0.2) * all.bytes),
      )
      await rack.killServer()
      const last = await rack.reported(['ready', 'failed'])
      const done = await machine.done()
      const passed = last.kind === 'ready'
      write({ kind: 'end', chain, firmware, done, serverKilledAt, next: last.text, passed })
    } catch (error) {
      write({
        kind: 'end',
        chain,
        firmware,
        done: { flushes: 0, bytes: 0 },
        passed: false,
        why: String(error),
      })
    } finally {
      await machine.cut()
    }
  })
}

/** A machine that has power. */
type Powered = {
  done(): Promise<Done>
  /** `done` counts from now on. */
  countAnew(): Promise<void>
  /** Ends it, and its disk's cache, by SIGKILL; fine when it has ended. */
  cut(): Promise<void>
  /** What its console has shown since it got power. */
  console(): string
}

/** A lab with one machine, and its server. */
type Rack = {
  /** The file of the machine's disk. */
  readonly disk: string
  /** The file that the writes are recorded in, in the format of dm-log-writes. */
  readonly writes: string
  /** @param program the chain in whose first install the installing program is killed */
  powerOn(recorded?: boolean, program?: number): Promise<Powered>
  /** The first event of one of these kinds after the last one that was asked for. */
  reported(kinds: readonly string[]): Promise<BootEvent>
  /** Waits until the machine has done so much, or has reported that the install is complete. */
  untilDone(machine: Powered, of: keyof Done, wanted: number): Promise<Done>
  killServer(): Promise<void>
}

async function inLab(firmware: Firmware, work: (rack: Rack) => Promise<void>): Promise<void> {
  const files = join(folder, 'rack')
  mkdirSync(files, { recursive: true })
  copyFileSync(join(RACKS, 'disk/objects.json'), join(files, 'objects.json'))
  const name = `${firmware}-1`
  const hardware = {
    name,
    mac: firmware === 'bios' ? '52:54:00:20:00:11' : '52:54:00:20:00:12',
    uuid: `5a0e7f00-0023-4000-8000-00000000000${firmware === 'bios' ? 1 : 2}`,
    driver: 'qemu',
    firmware,
    disks: [{ type: 'virtio', gib: 17, cache: 'volatile' }],
    memoryMiB: 2560,
    cpus: 2,
  }
  const data = join(files, 'data')
  rmSync(data, { recursive: true, force: true })
  const profile = copyLiveData(data)
  const text = { name: LAB, bridge: { address: '10.20.0.1/24' }, data: 'data' }
  writeFileSync(
    join(files, 'rack.yaml'),
    stringify({ ...text, objects: 'objects.json', machines: [hardware] }),
  )
  const lab = await openLab(await readRack(join(files, 'rack.yaml')))
  try {
    let { hostUrl } = await lab.startServer({ assetsPath: assets, limitSeconds: 60 })
    const client = () => new ServerClient(hostUrl, tokenIn(labFiles(lab.directory).serverState))
    let after = 0
    const eventsSince = async (): Promise<readonly BootEvent[]> => (await client().events(after, 0)).events
    const { directory } = machineFiles(lab.directory, name)
    const disk = join(directory, 'disk.img')
    await work({
      disk,
      writes: join(directory, WRITES),
      powerOn: async (isRecorded = false, program) => {
        after = (await client().events(after, 0)).last // what was before is not asked for
        const { file, text } = profile
        writeFileSync(file, program === undefined ? text : withProgramKill(text, program))
        return powerOn(lab, name, isRecorded)
      },
      reported: kinds =>
        waitUntil(
          `${name} reports ${kinds.join(' or ')}`,
          { limitSeconds: LIMIT_SECONDS, everyMs: 500 },
          async () => {
            const events = await eventsSince().catch(() => []) // it may be starting again
            const event = events.find(({ kind }) => kinds.includes(kind))
            if (event === undefined) return { not: events.at(-1)?.text ?? 'nothing' }
            after = event.id
            return { value: event }
          },
        ),
      untilDone: (machine, of, wanted) =>
        waitUntil(`${name} has ${wanted} ${of}`, { limitSeconds: LIMIT_SECONDS, everyMs: 20 }, async () => {
          const done = await machine.done()
          if (done[of] >= wanted) return { value: done }
          return { not: `${done.flushes} flushes, ${done.bytes} bytes` }
        }),
      killServer: async () => {
        const server = readState(labFiles(lab.directory).server) as ServerState
        signalProcess(server.process, 'SIGKILL')
        await new Promise(done => setTimeout(done, SERVER_AWAY_SECONDS * 1000))
        await stopServer(lab.directory) // what the lab knows of it
        ;({ hostUrl } = await lab.startServer({ assetsPath: assets, limitSeconds: 60 }))
      },
    })
  } finally {
    await lab.down()
  }
}

/** Gives the machine power: its own QEMU here, since the lab's does not say what it has written. */
async function powerOn(lab: Lab, name: string, isRecorded: boolean): Promise<Powered> {
  const machine = lab.rack.machines.find(it => it.name === name)
  if (machine === undefined) throw new Error(`the rack has no ${name}`)
  const { directory, console: log } = machineFiles(lab.directory, name)
  mkdirSync(directory, { recursive: true })
  const variables = join(directory, 'firmware-variables.fd')
  if (machine.firmware === 'uefi' && !existsSync(variables)) copyFileSync(VARIABLES, variables)
  makeDisks(directory, machine.disks ?? [])
  await plugTaps(lab.rack, machine)
  let shown = ''
  const show = (bytes: Uint8Array) => {
    shown += Buffer.from(bytes).toString('latin1')
    appendFileSync(log, bytes)
  }
  const cache = await startCache({ directory, console: show }, 0)
  const words = qemuArguments(lab.rack, machine)
  if (isRecorded) {
    writeFileSync(join(directory, WRITES), '')
    words[words.findIndex(word => word.startsWith('file=nbd:'))] = RECORDED
  }
  const [program = '', ...args] = lab.inRack(['qemu-system-x86_64', ...words])
  const child = spawn(program, args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] })
  child.stdout?.on('data', show)
  child.stderr?.on('data', show)
  const ended = new Promise<void>(done => child.once('close', () => done()))
  const ask = controlOf(child.stdio[3] as Duplex) // a pipe of Node is a socket pair, both ways
  const counted = async (): Promise<Done> => {
    const [first] = (await ask('query-blockstats')).filter(({ device }) => device === 'disk1')
    if (first === undefined) throw new Error(`QEMU has no disk1:\n${shown.slice(-1000)}`)
    return { flushes: first.stats.flush_operations, bytes: first.stats.wr_bytes }
  }
  let from: Done = { flushes: 0, bytes: 0 }
  return {
    done: async () => {
      const { flushes, bytes } = await counted()
      return { flushes: flushes - from.flushes, bytes: bytes - from.bytes }
    },
    countAnew: async () => {
      from = await counted()
    },
    cut: async () => {
      cache.cut()
      child.kill('SIGKILL')
      await Promise.all([ended, cache.end()])
    },
    console: () => shown,
  }
}

type BlockStats = {
  readonly device: string
  readonly stats: { readonly flush_operations: number; readonly wr_bytes: number }
}

/** Asks QEMU by its control socket (QMP): one question at a time. */
function controlOf(socket: Duplex): (command: string) => Promise<readonly BlockStats[]> {
  let text = ''
  let answer: ((value: readonly BlockStats[]) => void) | undefined
  socket.on('error', () => {}) // it ends with QEMU
  socket.on('data', (bytes: Buffer) => {
    text += bytes.toString()
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      const line = JSON.parse(text.slice(0, end)) as { return?: readonly BlockStats[] }
      text = text.slice(end + 1)
      if (Array.isArray(line.return)) answer?.(line.return)
    }
  })
  socket.write('{"execute":"qmp_capabilities"}\n')
  return async command => {
    const answered = new Promise<readonly BlockStats[]>((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error('QEMU did not answer within 60 s')), 60_000)
      answer = value => {
        clearTimeout(limit)
        resolve(value)
      }
    })
    socket.write(`${JSON.stringify({ execute: command })}\n`)
    return answered
  }
}

/** Puts the images into the assets, and gives their slot. */
async function placeImages(): Promise<Slot> {
  const images = await findImages()
  if (images === undefined) throw new Error('needs built images: pilotlight images build')
  if (flags.image === 'small') {
    const rootfs = smallRootfs(rootfsRecipe(DEFAULT_KUBERNETES))
    const slot = (await obtain(slotRecipe(initrdRecipe, rootfs, DEFAULT_KUBERNETES))).path
    const small = await findArtefact(rootfs)
    const path = join(small?.path ?? '', 'rootfs.squashfs')
    await placeAssets({ ...images, slot, rootfs: path }, assets)
  } else await placeAssets(images, assets)
  const slot = await readSlot(join(assets, 'live'))
  imageBytes = slot.files['rootfs.squashfs']?.bytes ?? 0
  return slot
}

/** The root image without {@link LEFT_OUT}. */
function smallRootfs(whole: Recipe): Recipe {
  return {
    name: 'live-rootfs-small',
    title: 'live system: squashfs, small',
    inputs: { method: 1, LEFT_OUT },
    needs: [whole],
    async build(work) {
      const root = join(work.directory, 'root')
      const image = join(work.directory, 'rootfs.squashfs')
      const limit = { limitSeconds: 1200 }
      const from = join(work.needs[whole.name]!, 'rootfs.squashfs') // in `needs`
      await run(
        'unsquashfs',
        ['-quiet', '-no-progress', '-dest', root, '-excludes', from, ...LEFT_OUT],
        limit,
      )
      const options = ['-noappend', '-quiet', '-no-progress', '-comp', 'zstd', '-Xcompression-level', '1']
      await run('mksquashfs', [root, image, ...options], limit)
      rmSync(root, { recursive: true })
      const { stdout } = await run('sha256sum', [image], limit)
      writeFileSync(join(work.directory, 'rootfs.sha256'), `${stdout.slice(0, 64)}\n`)
    },
  }
}

/** The profile with an archive behind the initrd that kills the installing program, on an empty disk alone. */
function withProgramKill(profile: string, chain: number): string {
  const name = `kill-${chain}.img`
  const script = `#!/bin/sh
! grep -q PARTNAME=pilotlight-state /sys/class/block/*/uevent || exit 0
until ${PROGRAM_KILLS[chain]}; do sleep 0.05; done
for process in /proc/[0-9]*; do
    case $(tr '\\0' ' ' 2> /dev/null < $process/cmdline) in
    */network-boot*) kill -9 \${process#/proc/} && echo '${PROGRAM_KILLED}' > /dev/console ;;
    esac
done
`
  const unit = '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/kill-install\n'
  const dropIn = '[Unit]\nWants=kill-install.service\n'
  const units = 'etc/systemd/system/'
  const folders = ['etc/', 'etc/systemd/', units, `${units}pilotlight-disk.service.d/`]
  const entries = [
    ...folders.map(path => ({ path, mode: 0o755 })),
    { path: `${units}pilotlight-disk.service.d/kill.conf`, mode: 0o644, content: dropIn },
    { path: `${units}kill-install.service`, mode: 0o644, content: unit },
    { path: 'kill-install', mode: 0o755, content: script },
  ]
  return withOverInitrd(profile, { assets, name, entries })
}
