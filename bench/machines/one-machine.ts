// One emulated machine and its server, for what is asked about installs: a lab that is made for it, its power, and what the server's
// journal says of its boots, with times that count from the power-on.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { stringify } from 'yaml'
import { tokenIn } from '#client/credentials.ts'
import { ServerClient } from '#client/server.ts'
import { run } from '#host/command.ts'
import { ensurePrerequisites } from '#host/prerequisites.ts'
import { placeAssets } from '#images/assets.ts'
import { buildImages, type ImageSet } from '#images/build.ts'
import type { CpioEntry } from '#images/cpio.ts'
import { makeMedium } from '#images/medium-image.ts'
import { readMedium } from '#images/medium.ts'
import { mediumPrerequisites } from '#images/prerequisites.ts'
import { findLab, openLab, type Lab } from '#lab/lab.ts'
import { readRack, type RackMachine } from '#lab/rack.ts'
import { stopServer } from '#lab/server.ts'
import { labFiles, machineFiles, readLabState, writeState } from '#lab/state.ts'
import type { BootEvent } from '#model/boot.ts'
import type { DiskChoice } from '#model/disk.ts'
import type { SiteObjects } from '#model/site.ts'
import { silentStage } from '#progress/stage.ts'
import { messageOf, waitUntil } from '#progress/wait.ts'
import { copyLiveData, withOverInitrd, type LiveProfile } from './over-initrd.ts'

/** Linux counts processor time for programs in these (USER_HZ). */
const TICKS_A_SECOND = 100
/** Where machines reach the server. */
const SERVER = '10.20.0.1'
const ROOT = join(import.meta.dirname, '../..')
const RACKS = join(ROOT, 'lab/racks')

/** Hardware of the machine as a rack file has it (lab/README.md). */
export type Hardware = {
  readonly firmware: 'bios' | 'uefi'
  readonly network?: string
  readonly disks: readonly { readonly type: string; readonly gib: number }[]
  /**
   * A CD of `pilotlight images medium` is in its drive, for a card that the firmware cannot boot by. Our DHCP server is silent then: it
   * would give a token only to what the firmware got an address for.
   */
  readonly medium?: 'pilotlight'
  readonly tpm?: boolean
  readonly boot?: 'disk' | 'network'
}

/** Seconds, and what its QEMU has used of the processors meanwhile, which depends less on what else this host does. */
export type Spent = { readonly seconds: number; readonly processor: number }
/** One boot as the journal has it: from power-on to `ready`, and each part between two of its milestones. */
export type MachineBoot = Spent & {
  readonly parts: Readonly<Record<string, Spent>>
  /** What the agent reported: the disk and slot that it runs from. */
  readonly booted: string
}

/** The version of the QEMU that machines run in. */
export async function qemuVersion(): Promise<string> {
  const qemu = process.env['PILOTLIGHT_QEMU'] ?? 'qemu-system-x86_64'
  const { stdout: version } = await run(qemu, ['--version'], { limitSeconds: 10 })
  return /version (\S+)/.exec(version)?.[1] ?? 'unknown'
}

/** How a step ended: what it gave, or why it failed; and how long it took. */
export type Attempt<Said> = { readonly seconds: number } & (
  { readonly passed: true; readonly said: Said } | { readonly passed: false; readonly why: string }
)

/** Tries a step of a run that goes on, or records, when one fails. */
export async function attempted<Said>(step: () => Promise<Said>): Promise<Attempt<Said>> {
  const begun = performance.now()
  const ended = await step().then(
    said => ({ passed: true, said }) as const,
    (error: unknown) => ({ passed: false, why: messageOf(error).slice(0, 2000) }) as const,
  )
  return { seconds: Math.round((performance.now() - begun) / 1000), ...ended }
}

/** A machine in a lab that is up, with the images of this checkout. */
export class OneMachine {
  readonly name: string
  #lab: Lab
  #client: ServerClient
  readonly #bootsByMedium: boolean
  /** Has the rack file, and the medium where there is one; it is there as long as the machine is. */
  readonly #folder: string
  readonly #profile: LiveProfile
  /** The newest event, the time, and how long the console was, at the last power-on. */
  #from = { event: 0, at: 0, console: 0 }

  private constructor(
    lab: Lab,
    client: ServerClient,
    {
      name,
      folder,
      profile,
      bootsByMedium,
    }: { name: string; folder: string; profile: LiveProfile; bootsByMedium: boolean },
  ) {
    this.name = name
    this.#lab = lab
    this.#client = client
    this.#bootsByMedium = bootsByMedium
    this.#folder = folder
    this.#profile = profile
  }

  /** Makes the lab and starts its server; the machine is off. What an interrupted run left of this lab is removed. */
  static async make(labName: string, hardware: Hardware): Promise<OneMachine> {
    await findLab(labName)?.down()
    const bios = hardware.firmware === 'bios'
    const folder = mkdtempSync(join(tmpdir(), `${labName}-`))
    const { medium, ...rest } = hardware
    const machine = {
      name: `${hardware.firmware}-1`,
      mac: bios ? '52:54:00:20:00:11' : '52:54:00:20:00:12',
      uuid: `5a0e7f00-0023-4000-8000-00000000000${bios ? 1 : 2}`,
      driver: 'qemu',
      memoryMiB: 2560,
      cpus: 2,
      ...rest,
      ...(medium === undefined ? {} : { medium: join(folder, 'medium.iso') }),
    }
    const data = join(folder, 'data')
    const rack = { name: labName, bridge: { address: `${SERVER}/24` }, data, machines: [machine] }
    try {
      const profile = copyLiveData(data)
      writeFileSync(join(folder, 'rack.yaml'), stringify(rack))
      const images = await buildImages()
      if (machine.medium !== undefined) await writeMedium(images, machine)
      const lab = await openLab(await readRack(join(folder, 'rack.yaml')))
      try {
        const assetsPath = join(lab.directory, 'assets')
        await placeAssets(images, assetsPath)
        const { hostUrl } = await lab.startServer({ assetsPath })
        const client = new ServerClient(hostUrl, tokenIn(labFiles(lab.directory).serverState))
        const bootsByMedium = machine.medium !== undefined
        return new OneMachine(lab, client, { name: machine.name, folder, profile, bootsByMedium })
      } catch (error) {
        await lab.down()
        throw error
      }
    } catch (error) {
      rmSync(folder, { recursive: true })
      throw error
    }
  }

  /** Where the lab keeps the machine: its disk, firmware variables, and TPM. */
  get directory(): string {
    return machineFiles(this.#lab.directory, this.name).directory
  }

  /** The server's API, as an administrator. */
  get client(): ServerClient {
    return this.#client
  }

  /**
   * Gives the server its site: the machine installs itself to its disk at the next network boot, as the site file has it with
   * `choice` of it changed; or runs from memory.
   */
  async declare(disk: 'install' | 'none', choice: Partial<DiskChoice> = {}): Promise<void> {
    const objects = siteObjects()
    const machines = objects.machines.map(it => {
      if (disk === 'none') return { ...it, disk }
      return typeof it.disk === 'object' ? { ...it, disk: { ...it.disk, ...choice } } : it
    })
    const network = this.#bootsByMedium ? { ...objects.network, dhcp: 'off' as const } : objects.network
    await this.#client.putSite(this.#lab.name, { ...objects, network, machines })
  }

  /** From the next network boot on, these files are put over those of the initrd; with none, the initrd is what was built. */
  overInitrd(entries: readonly CpioEntry[]): void {
    const { file, text } = this.#profile
    const place = { assets: join(this.#lab.directory, 'assets'), name: 'over-initrd.img' }
    writeFileSync(file, entries.length === 0 ? text : withOverInitrd(text, { ...place, entries }))
  }

  async powerOn(): Promise<void> {
    const event = await this.#client.lastEvent().catch(() => this.#from.event) // with the server off there is none
    this.#from = { event, at: Date.now(), console: (await this.console()).length }
    await this.#lab.machine(this.name).powerOn()
  }

  async stopServer(): Promise<void> {
    this.#from = { ...this.#from, event: await this.#client.lastEvent() } // what comes after it is of a later boot
    await stopServer(this.#lab.directory)
  }

  /** Starts it again, with what it knew. */
  async startServer(): Promise<void> {
    const { hostUrl } = await this.#lab.startServer({ assetsPath: join(this.#lab.directory, 'assets') })
    this.#client = new ServerClient(hostUrl, tokenIn(labFiles(this.#lab.directory).serverState))
  }

  /** Waits until its console shows something since the last power-on; the line in which it does. */
  async shows(what: RegExp, limitSeconds: number): Promise<string> {
    return waitUntil(`${this.name} shows ${what}`, { limitSeconds, everyMs: 1000 }, async () => {
      const lines = (await this.console()).slice(this.#from.console).split('\n')
      const line = lines.find(it => what.test(it))
      return line === undefined ? { not: lines.slice(-3).join(' | ') } : { value: line.trim() }
    })
  }

  /** What the journal has since the last power-on, a line an event. */
  async journal(): Promise<readonly string[]> {
    return (await this.events()).map(({ kind, text }) => `${kind} ${text}`)
  }

  /** By its power button, or by the plug; says which of them ended it, as a system may not listen to its button. */
  async powerOff(by: 'button' | 'plug'): Promise<'shut down' | 'cut' | undefined> {
    return this.#lab.machine(this.name).powerOff(by === 'plug' ? { graceSeconds: 0 } : {})
  }

  /**
   * Waits for its report `ready` since the power-on.
   *
   * @throws {WaitedTooLong} with the last event that came
   * @throws {Error} with what the machine says has failed, or when it has gone off
   */
  async ready(limitSeconds: number): Promise<MachineBoot> {
    const used = new Map<number, number>() // processor seconds, by the id of the event that was seen then
    const events = await waitUntil(`${this.name} is ready`, { limitSeconds, everyMs: 500 }, async () => {
      const isOff = !this.#lab.machine(this.name).isOn()
      const events = await this.events()
      const now = isOff ? 0 : this.#processorSeconds()
      for (const { id } of events) if (!used.has(id)) used.set(id, now)
      const ended = events.some(({ kind }) => kind === 'ready' || kind === 'failed')
      if (ended || isOff) return { value: events }
      const last = events.at(-1)
      return { not: last === undefined ? 'no event' : `${last.kind} ${last.text}` }
    })
    const failed = events.find(({ kind }) => kind === 'failed')
    if (failed) throw new Error(`the machine reports: ${failed.text}`)
    if (!events.some(({ kind }) => kind === 'ready'))
      throw new Error(`it went off by itself after ${events.at(-1)?.text ?? 'no event'}`)
    return bootOf(events, this.#from.at, used)
  }

  /** Changes its hardware while it is off. */
  change(hardware: Partial<RackMachine>): void {
    const { directory } = this.#lab
    const { rack, startedAt } = readLabState(directory)
    const machines = rack.machines.map(it => ({ ...it, ...hardware }))
    writeState(labFiles(directory).state, { rack: { ...rack, machines }, startedAt })
    this.#lab = findLab(this.#lab.name) ?? this.#lab
  }

  /** Its hardware as the rack has it. */
  hardware(): RackMachine {
    const [machine] = this.#lab.rack.machines
    if (machine === undefined) throw new Error(`the rack of ${this.#lab.name} is empty`)
    return machine
  }

  isOn(): boolean {
    return this.#lab.machine(this.name).isOn()
  }

  /** Its console since its first power-on. */
  async console(): Promise<string> {
    let text = ''
    for await (const piece of this.#lab.machine(this.name).console()) text += piece
    return text
  }

  /** Takes the lab down and removes what is large; its logs stay if asked for. */
  async remove({ keepLogs }: { keepLogs: boolean }): Promise<void> {
    try {
      await this.#lab.down()
    } finally {
      rmSync(this.#folder, { recursive: true, force: true })
    }
    const files = existsSync(this.directory) ? readdirSync(this.directory) : []
    const disks = files.filter(name => /^disk.*\.img$/.test(name))
    const large = [join(this.#lab.directory, 'assets'), ...disks.map(name => join(this.directory, name))]
    for (const path of keepLogs ? large : [this.#lab.directory])
      rmSync(path, { recursive: true, force: true })
  }

  #processorSeconds(): number {
    const { pid = 0 } = this.#lab.machine(this.name).status()
    const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ') // proc(5): the name is in brackets
    const [user, system] = fields.split(' ').slice(11, 13).map(Number)
    return ((user ?? 0) + (system ?? 0)) / TICKS_A_SECOND
  }

  /** What the server's journal has of it since its last power-on. */
  async events(): Promise<readonly BootEvent[]> {
    const all: BootEvent[] = []
    for (let after = this.#from.event; ;) {
      const { events, last } = await this.#client.events(after, 0)
      all.push(...events.filter(({ machine }) => machine === this.name))
      if (events.length === 0 || last === after) return all
      after = last
    }
  }
}

/** The site, with a machine of each firmware. */
function siteObjects(): SiteObjects {
  return JSON.parse(readFileSync(join(RACKS, 'disk/objects.json'), 'utf8')) as SiteObjects
}

/**
 * Makes the medium that an operator would make for this machine: with its address, since no DHCP server is there.
 *
 * @throws {PrerequisitesMissing} where GRUB or xorriso are missing and cannot be installed
 */
async function writeMedium(
  images: ImageSet,
  { name, medium: path = '' }: { name: string; medium?: string },
): Promise<void> {
  const { signal } = new AbortController()
  await ensurePrerequisites(silentStage, mediumPrerequisites, signal)
  const { kernel, initrd, rootfsSha256 } = images
  const files = { kernel, initrd, microcode: join(dirname(initrd), 'microcode.img'), rootfsSha256 }
  const address = `${siteObjects().machines.find(it => it.name === name)?.address}/24`
  const medium = readMedium({ server: `http://${SERVER}:8080`, address, consoles: ['ttyS0,115200n8'] })
  await makeMedium(medium, files, path, silentStage, signal)
}

/**
 * What ends each part of a boot, in this order, by the kind of its event; the last one counts that is before the next milestone, since an
 * install fetches kernel and initrd again, for the loader.
 */
const MILESTONES: readonly (readonly [kind: string, part: string])[] = [
  ['script', 'firmware and iPXE'],
  ['initrd', 'transfer of kernel and initrd'],
  ['config', 'kernel and initrd'],
  ['installing', 'choice of the disk, grant'],
  ['rootfs', 'transfer of the root image'],
  ['installed', 'verification and loader'],
  ['booted', 'enter the root'],
  ['ready', 'services'],
]

function bootOf(
  events: readonly BootEvent[],
  powerOn: number,
  used: ReadonlyMap<number, number>,
): MachineBoot {
  const parts: Record<string, Spent> = {}
  const start = { at: powerOn, processor: 0 }
  let before = start
  for (const [at, [kind, part]] of MILESTONES.entries()) {
    const later = new Set(MILESTONES.slice(at + 1).map(([later]) => later))
    const next = events.findIndex(it => later.has(it.kind) && it.at >= before.at)
    const event = events.slice(0, next === -1 ? undefined : next).findLast(it => it.kind === kind)
    if (event === undefined) continue
    const now = { at: event.at, processor: used.get(event.id) ?? 0 }
    parts[part] = spent(before, now)
    before = now
  }
  return {
    ...spent(start, before),
    parts,
    booted: events.findLast(({ kind }) => kind === 'booted')?.text ?? '',
  }
}

type Moment = { readonly at: number; readonly processor: number }

function spent(from: Moment, to: Moment): Spent {
  return { seconds: tenths((to.at - from.at) / 1000), processor: tenths(to.processor - from.processor) }
}

function tenths(number: number): number {
  return Math.round(number * 10) / 10
}
