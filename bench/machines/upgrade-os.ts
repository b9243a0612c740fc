// Does a machine return to its old system when a new image is bad? One machine in QEMU is installed over the network, upgraded to a
// good image, and then to bad ones, each by `pilotlight upgrade os` against a real server:
//   good       another root hash of the same root image: ready with it, and the entry of the loader is marked good
//   unhealthy  it starts, and its agent never runs: nothing marks it good
//   no-root    its command line names a root hash that no slot has: it stays in the initrd
//   no-initrd  its initrd is empty: the kernel panics
// After a bad one the machine must have started it three times and then the old system, which is ready; the order has failed, the alarm
// PL-7010 is there, the command ends with UPGRADE_FAILED. A record has a line an attempt; those that passed there are not made again, so the same
// command goes on after an interruption. After one that failed the lab stays, to be looked at.
//
//   sudo node_modules/.bin/node bench/machines/upgrade-os.ts docs/runs/DATE-upgrade-os.jsonl --firmware uefi [--rounds 3] [--only KIND,KIND] [--keep]
//
// The images are made of those of `pilotlight images build`, by mksquashfs. mtools reads what is on the disk.

import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { parse, stringify } from 'yaml'
import { tokenIn } from '#client/credentials.ts'
import { ServerClient, type MachineState } from '#client/server.ts'
import { obtain } from '#host/cache.ts'
import { CommandFailed, run } from '#host/command.ts'
import { cpioArchive } from '#images/cpio.ts'
import { inLoaderTools, loaderToolsRecipe } from '#images/loader-tools.ts'
import { makeUki, readSlot, slotCommandLine, writeSlot } from '#images/slot.ts'
import { findLab } from '#lab/lab.ts'
import { labFiles } from '#lab/state.ts'
import type { Installed } from '#model/install.ts'
import { slotIn, slotVersion, type Slot } from '#model/slot.ts'
import { silentStage } from '#progress/stage.ts'
import { messageOf, waitUntil } from '#progress/wait.ts'
import { circumstances, openRecord, recordPath, type Circumstances } from '../record.ts'

const ROOT = join(import.meta.dirname, '../..')
const RACKS = join(ROOT, 'lab/racks')
const INSTALL_SECONDS = 2400
const UPGRADE_SECONDS = 5400
const READY_SECONDS = 1200
/** The ESP begins at 2 MiB, behind the BIOS boot partition. */
const ESP_AT = 2 << 20
const BAD = ['no-initrd', 'unhealthy', 'no-root'] as const
type Kind = 'good' | (typeof BAD)[number]

/** One line of the record. */
type Outcome = Circumstances & {
  readonly row: string
  readonly firmware: string
  readonly kind: Kind
  readonly passed: boolean
  /** What ran before, and what was ordered. */
  readonly from?: string
  readonly target?: string
  /** From the command to its end, and to `ready` of what runs then. */
  readonly seconds?: { readonly command: number; readonly ready: number }
  /** How often the machine started meanwhile. */
  readonly starts?: number
  /** What the loader has on the disk afterwards. */
  readonly loader?: string
  readonly why?: string
}

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    firmware: { type: 'string', default: 'uefi' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
})
const path = recordPath(positionals, 'upgrade-os')
const { firmware } = flags
if (firmware !== 'uefi' && firmware !== 'bios') throw new Error('--firmware is uefi or bios')
const LAB = `upgrade-${firmware}`
const MACHINE = `${firmware}-1`

const rows: { readonly row: string; readonly kind: Kind }[] = [{ row: `${firmware}-good`, kind: 'good' }]
for (let round = 1; round <= Number(flags.rounds); round += 1)
  for (const kind of BAD) rows.push({ row: `${firmware}-${kind}-${round}`, kind })
const record = openRecord<Outcome>(path)
const passed = new Set(record.lines().flatMap(it => (it.passed ? [it.row] : [])))
const only = flags.only?.split(',')
const pending = rows.filter(({ row, kind }) => !passed.has(row) && (only?.includes(kind) ?? true))
if (pending.length === 0) console.log('all of them passed before')
else await tryAll()

async function tryAll(): Promise<void> {
  await installed()
  const images = await imagesOf()
  for (const { row, kind } of pending) {
    const outcome = await tried(row, kind, images)
    record.add(outcome)
    console.log(JSON.stringify(outcome))
    if (outcome.passed) continue
    process.exitCode = 1
    console.log(`the lab ${LAB} stays: bin/pilotlight lab down --lab ${LAB}`)
    return
  }
  if (!flags.keep) await pilotlight(['lab', 'down', '--lab', LAB], 120)
}

async function tried(row: string, kind: Kind, images: ReadonlyMap<string, Slot>): Promise<Outcome> {
  const about = {
    row,
    firmware: firmware === 'uefi' ? 'OVMF' : 'SeaBIOS',
    kind,
    ...circumstances(),
  }
  try {
    return { ...about, ...(await upgraded(kind, images)), passed: true }
  } catch (error) {
    return { ...about, passed: false, why: messageOf(error).slice(0, 2000) }
  }
}

/** Upgrades the machine to an image, and checks all that is to be afterwards. */
async function upgraded(kind: Kind, images: ReadonlyMap<string, Slot>): Promise<Partial<Outcome>> {
  const from = await versionThatRuns()
  // Of the two good ones that which does not run.
  const [name, image] = [...images].find(([one, { version }]) =>
    kind === 'good' ? one.startsWith('good') && version !== from : one === kind,
  )!
  place(name)
  const startsBefore = starts()
  const begun = performance.now()
  // A bad one is never marked good, so its time may be short; a good one has the default.
  const limit = kind === 'good' ? [] : ['--healthy-limit', '60']
  const words = ['upgrade', 'os', MACHINE, '--no-drain', '--yes', '--json', ...limit, '--server', url()]
  const ended = await pilotlight(words, UPGRADE_SECONDS)
  const command = secondsSince(begun)
  const { version: target } = image
  const runs = kind === 'good' ? target : from
  await waitUntil(
    `${MACHINE} is ready with ${runs}`,
    { limitSeconds: READY_SECONDS, everyMs: 2000 },
    async () => {
      const { phase, installed: { version } = {} } = await machine()
      return phase === 'ready' && version === runs ? { value: true } : { not: `${phase} with ${version}` }
    },
  )
  const seconds = { command, ready: secondsSince(begun) }
  const order = (await client().orders()).find(one => one.machine === MACHINE)
  const alarms = JSON.parse(
    (await pilotlight(['get', 'alarms', '-o', 'json', '--server', url()], 60)).stdout,
  ) as {
    readonly items: readonly { readonly code: string; readonly entity: string }[]
  }
  const isAlarmed = alarms.items.some(
    ({ code, entity }) => code === 'PL-7010' && entity === `machine:${MACHINE}`,
  )
  const loader = entries()
  const found = { from, target, seconds, starts: starts() - startsBefore, loader }
  const wrong: string[] = []
  const must = (what: string, isSo: boolean) => {
    if (!isSo) wrong.push(what)
  }
  if (kind === 'good') {
    must('the command ends with 0', ended.status === 0)
    must('the order is done', order?.state === 'done')
    must('there is no alarm', !isAlarmed)
    must('it started once', found.starts === 1)
    must('both entries are good', isGood(loader, target))
  } else {
    must(
      'the command ends with 1 and UPGRADE_FAILED',
      ended.status === 1 && /was not upgraded/.test(ended.stderr),
    )
    must('the order has failed', order?.state === 'failed' && /runs .* again/.test(order.why ?? ''))
    must('there is the alarm PL-7010', isAlarmed)
    must('it started four times: three attempts, and the old one', found.starts === 4)
    must('the new entry has no attempts left', isSpent(loader, target))
    must('the old entry is good', isGood(loader, from))
  }
  if (wrong.length === 0) return found
  throw new Error(
    `not so: ${wrong.join('; ')}. ${JSON.stringify({ ...found, status: ended.status, stderr: ended.stderr, order })}`,
  )
}

/** Brings up the lab with its machine installed and started once from its disk, unless it is up. */
async function installed(): Promise<void> {
  if (findLab(LAB)?.isUp() !== true) {
    const folder = mkdtempSync(join(tmpdir(), 'upgrade-os-'))
    const { machines, ...rest } = parse(readFileSync(join(RACKS, 'disk/rack.yaml'), 'utf8')) as {
      machines: readonly { name: string }[]
    }
    copyFileSync(join(RACKS, 'disk/objects.json'), join(folder, 'objects.json'))
    const rack = {
      ...rest,
      data: join(RACKS, 'firmware/data'),
      // One processor: an emulated machine with two spins while the host runs other work.
      machines: machines.filter(it => it.name === MACHINE).map(it => ({ ...it, cpus: 1 })),
    }
    writeFileSync(join(folder, 'rack.yaml'), stringify(rack))
    const up = ['lab', 'up', join(folder, 'rack.yaml'), '--until', 'boot', '--keep', '--lab', LAB]
    const ended = await pilotlight(up, INSTALL_SECONDS)
    rmSync(folder, { recursive: true })
    if (ended.status !== 0) throw new Error(`lab up ended with ${ended.status}: ${ended.stderr}`)
  }
  // What was entered without its loader is marked good after its first start.
  if (isGood(entries(), await versionThatRuns())) return
  const before = starts()
  await pilotlight(['lab', 'power', 'cycle', MACHINE, '--wait', '--lab', LAB], 300)
  await waitUntil(
    'its first start from the disk',
    { limitSeconds: READY_SECONDS, everyMs: 2000 },
    async () => {
      if (starts() > before && isGood(entries(), await versionThatRuns())) return { value: true }
      return { not: entries() }
    },
  )
}

/** The images below the lab's folder: those that are there already, and those that have to be made. */
async function imagesOf(): Promise<Map<string, Slot>> {
  const folder = join(labFolder(), 'slots')
  const live = join(labFolder(), 'assets/live')
  const images = new Map<string, Slot>()
  for (const name of ['good-1', 'good-2', ...BAD]) {
    const own = join(folder, name)
    if (!existsSync(join(own, 'slot.json'))) await makeImage(name, join(folder, 'good-1'), own, live)
    // Also those that were made of an earlier image.
    images.set(
      name,
      slotIn(readFileSync(join(own, 'slot.json'), 'utf8'), what => new Error(`${own}: ${what}`)),
    )
  }
  return images
}

async function makeImage(name: string, first: string, own: string, live: string): Promise<void> {
  rmSync(own, { recursive: true, force: true })
  mkdirSync(join(own, 'grub'), { recursive: true })
  const from = name === 'good-1' ? live : first
  const slot = await readSlot(from)
  for (const file of Object.keys(slot.files)) linkSync(join(from, file), join(own, file))
  if (name === 'good-1') {
    linkSync(join(from, 'slot.json'), join(own, 'slot.json'))
    return
  }
  const tools = await obtain(loaderToolsRecipe)
  const work = {
    directory: own,
    needs: { [loaderToolsRecipe.name]: tools.path },
    stage: silentStage,
    log: join(labFolder(), 'slots.log'),
  }
  const at = (file: string) => join(own, file)
  // Files that are links into the cache are replaced, never written to.
  for (const file of ['rootfs.verity', 'pilotlight.efi', 'grub/slot.cfg']) rmSync(at(file))
  if (name === 'no-initrd' || name === 'no-root') {
    // What never reaches its root needs none of 670 MB: one that can be mounted, as `slot write` looks at it.
    const tree = mkdtempSync(join(tmpdir(), 'upgrade-os-'))
    mkdirSync(join(tree, 'usr/lib/systemd'), { recursive: true })
    rmSync(at('rootfs.squashfs'))
    await run('mksquashfs', [tree, at('rootfs.squashfs'), '-quiet', '-no-progress'], { limitSeconds: 60 })
    rmSync(tree, { recursive: true })
  }
  const salt = Buffer.from(name.padEnd(32, '.')).toString('hex')
  await inLoaderTools(work, { 'rootfs.squashfs': at('rootfs.squashfs') }, [
    'veritysetup',
    'format',
    `--salt=${salt}`,
    '--root-hash-file=/out/rootfs.roothash',
    '/in/rootfs.squashfs',
    '/out/rootfs.verity',
  ])
  const roothash = readFileSync(at('rootfs.roothash'), 'utf8').trim()
  const bad: Readonly<Record<string, string>> = {
    unhealthy: ' systemd.mask=pilotlight-agent.service',
    'no-root': ` roothash=${'f'.repeat(64)}`,
  }
  const cmdline = `${slotCommandLine(roothash)}${bad[name] ?? ''}`
  if (name === 'no-initrd') {
    rmSync(at('initrd.img'))
    writeFileSync(at('initrd.img'), cpioArchive([]))
  }
  writeFileSync(at('grub/slot.cfg'), `set cmdline="${cmdline}"\n`)
  const [vmlinuz, microcode, initrd] = [at('vmlinuz'), at('microcode.img'), at('initrd.img')]
  await makeUki(work, { vmlinuz, microcode, initrd, roothash, cmdline })
  execFileSync('chmod', ['644', at('rootfs.verity')])
  await writeSlot(own, { version: slotVersion(roothash), roothash, cmdline })
}

/** Puts an image into the assets, slot.json last. */
function place(name: string): void {
  const live = join(labFolder(), 'assets/live')
  const own = join(labFolder(), 'slots', name)
  const { files } = JSON.parse(readFileSync(join(own, 'slot.json'), 'utf8')) as Slot
  for (const file of [...Object.keys(files), 'slot.json']) {
    const fresh = join(live, `${file}.new`)
    rmSync(fresh, { force: true })
    linkSync(join(own, file), fresh)
    renameSync(fresh, join(live, file))
    rmSync(fresh, { force: true }) // rename(2) leaves both names when they are one file already
  }
}

/** What the loader on the disk has: names of entries, or GRUB's variables, in one line. */
function entries(): string {
  const image = `${join(labFolder(), 'machines', MACHINE, 'disk.img')}@@${ESP_AT}`
  const env = { ...process.env, MTOOLS_SKIP_CHECK: '1' }
  const [program, ...words] =
    firmware === 'uefi'
      ? ['mdir', '-b', '-i', image, '::/EFI/Linux']
      : ['mtype', '-i', image, '::/grub/grubenv']
  const text = execFileSync(program ?? '', words, { env, encoding: 'utf8' })
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return lines.map(line => line.replace('::/EFI/Linux/', '')).join(' ')
}

function isGood(loader: string, version: string): boolean {
  if (firmware === 'uefi') return new RegExp(`pilotlight_\\d+-${version}\\.efi`).test(loader)
  return new RegExp(`(new|old)=${version} \\1_tries=( |$)`).test(loader)
}

function isSpent(loader: string, version: string): boolean {
  if (firmware === 'uefi') return new RegExp(`pilotlight_\\d+-${version}\\+0-3\\.efi`).test(loader)
  return loader.includes(`new=${version} new_tries=0`)
}

/** How often a kernel began, by what it writes to the serial port. */
function starts(): number {
  const text = readFileSync(join(labFolder(), 'machines', MACHINE, 'console.log'), 'latin1')
  return text.match(/\] Linux version /g)?.length ?? 0
}

/** What the server knows of the machine. */
async function machine(): Promise<MachineState & { readonly installed?: Installed }> {
  const found = (await client().machines()).find(({ name }) => name === MACHINE)
  if (found === undefined) throw new Error(`the server has no ${MACHINE}`)
  return found
}

async function versionThatRuns(): Promise<string> {
  const { installed: { version } = {} } = await machine()
  if (version === undefined) throw new Error(`${MACHINE} is not installed`)
  return version
}

function labFolder(): string {
  const lab = findLab(LAB)
  if (lab === undefined) throw new Error(`the lab ${LAB} is not up`)
  return lab.directory
}

function url(): string {
  const { serverUrl } = findLab(LAB)?.status() ?? {}
  if (serverUrl === undefined) throw new Error('the lab has no server')
  return serverUrl
}

function token(): string {
  const found = tokenIn(labFiles(labFolder()).serverState)
  if (found === undefined) throw new Error('the server of the lab has no token of an administrator')
  return found
}

function client(): ServerClient {
  return new ServerClient(url(), token())
}

/** Runs the command, and gives how it ended. */
async function pilotlight(
  words: readonly string[],
  limitSeconds: number,
): Promise<{ readonly status: number | null; readonly stdout: string; readonly stderr: string }> {
  const own = words[0] === 'lab' ? {} : { PILOTLIGHT_TOKEN: token() }
  const env = { ...process.env, CI: 'true', ...own }
  try {
    const { stdout, stderr } = await run(join(ROOT, 'bin/pilotlight'), words, {
      limitSeconds,
      cwd: ROOT,
      env,
    })
    return { status: 0, stdout, stderr }
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    return error
  }
}

function secondsSince(begun: number): number {
  return Math.round((performance.now() - begun) / 1000)
}
