// `pilotlight lab up`: a rack of virtual machines on this host, and then the very `pilotlight up` that a real rack
// gets, run inside the rack's network.

import { spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { tokenIn } from '#client/credentials.ts'
import { shellWord } from '#host/shell.ts'
import type { ImageSet } from '#images/build.ts'
import { UpFailed } from '#lab/errors.ts'
import type { Lab } from '#lab/lab.ts'
import type { Rack, RackMachine } from '#lab/rack.ts'
import type { LabServer } from '#lab/server.ts'
import { labFiles } from '#lab/state.ts'
import { Failure, PilotlightError } from '#model/error.ts'
import { isReady } from '#model/phase.ts'
import { graftLines, RELAY_VARIABLE } from '#progress/relay.ts'
import { inStage } from '#progress/stage.ts'
import { messageOf } from '#progress/wait.ts'
import { machinesWith } from '#rack/site/duties.ts'
import type { Site } from '#rack/site/site.ts'
import { EXIT } from '../exit.ts'
import { showLab } from './report.ts'
import type { LongWork } from '../terminal/with-progress.ts'

/** What `lab up` is told. */
export type LabUp = {
  readonly rackFile: string
  readonly root: string
  readonly keep: boolean
  readonly lab?: string
  readonly driver?: string
  readonly until: string
}

/**
 * Brings a rack up, runs `pilotlight up` in it, shows how to look around, and takes it down again unless asked to
 * keep it; also after a failure or Ctrl-C. A lab that was up before stays up: it is somebody's.
 */
export async function labUp(options: LabUp, work: LongWork): Promise<void> {
  const { rack, site } = await readAll(options)
  const { lockLab } = await import('#lab/lab.ts')
  const unlock = lockLab(rack.name)
  try {
    const images = await prepare(site, work)
    await inLab({ rack, site, images, options }, work)
  } finally {
    unlock()
  }
}

/** What a run works on. */
type Task = {
  readonly rack: Rack
  readonly site: Site | undefined
  readonly images: ImageSet
  readonly options: LabUp
}

async function inLab(task: Task, work: LongWork): Promise<void> {
  const { stage, signal, drawing } = work
  const { rack, site, images, options } = task
  const { findLab, openLab } = await import('#lab/lab.ts')
  const wasUp = findLab(rack.name)?.isUp() ?? false
  work.wouldLeave(
    `the lab ${rack.name} stays as it is; take it down:  npm run lab -- down --lab ${rack.name}`,
  )
  const lab = await inStage(stage, 'rack', () => openLab(rack, { signal }))
  if (site !== undefined) await routeToFloatingAddresses(lab, site)
  if (wasUp) drawing.line(`the lab ${lab.name} was up before this run, and stays up after it`)
  let server: LabServer | undefined
  try {
    const assetsPath = join(lab.directory, 'assets')
    server = await inStage(stage, 'server', async () => {
      const { placeAssets } = await import('#images/assets.ts')
      await placeAssets(images, assetsPath)
      return lab.startServer({ assetsPath, signal })
    })
    const { hostUrl } = server
    drawing.line(
      `page ${hostUrl}/ui/   logs ${relative('.', lab.directory)}/   stop: npm run lab -- down --lab ${lab.name}`,
    )
    drawing.line(`a machine's boot, packet by packet: bin/pilotlight journal NAME --server ${hostUrl}`)
    const wholeWay = site !== undefined && options.until !== 'boot'
    const told = wholeWay ? await upInRack(task, lab, server.url, work) : []
    if (!wholeWay) await bootAll(lab, site, hostUrl, work)
    work.summary()
    if (wholeWay) await showLab(lab, hostUrl, images.tools, told, options.keep || wasUp)
  } catch (error) {
    signal.throwIfAborted()
    throw withPlaces(error, lab, options)
  } finally {
    if (server !== undefined)
      await keepJournals(lab, server.hostUrl).catch((error: unknown) =>
        drawing.line(`the journals are not kept: ${messageOf(error)}`),
      )
    if (!options.keep && !wasUp) await inStage(stage, 'down', () => lab.down())
    work.wouldLeave(undefined)
  }
}

/** The rack's way to the cloud's external network, when a machine is its gateway. */
async function routeToFloatingAddresses(lab: Lab, site: Site): Promise<void> {
  const { cidr, interface: uplink } = site.openstack.external
  const [gateway] = machinesWith(site, 'network')
  if (uplink === undefined && gateway !== undefined) await lab.route(cidr, gateway.address)
}

/** The same failure, whose remedy also names where its traces are. */
function withPlaces(error: unknown, lab: Lab, options: LabUp): unknown {
  if (!(error instanceof Error)) return error
  const places = [
    `journals of the boots: ${relative('.', labFiles(lab.directory).journals)}/   logs: ${relative('.', lab.directory)}/`,
    `to look around while it is up:  pilotlight lab ${relative('.', options.rackFile)} --keep`,
  ].join('\n  ')
  if (!(error instanceof PilotlightError)) {
    return new Failure('LAB_FAILED', error.message, places, { cause: error.cause })
  }
  return Object.assign(error, { remedy: error.remedy ? `${error.remedy}\n  ${places}` : places })
}

/** Writes what the server knows of each machine's boot below the lab's folder, where it outlives the server. */
async function keepJournals(lab: Lab, server: string): Promise<void> {
  const { ServerClient } = await import('#client/server.ts')
  const client = new ServerClient(server, tokenOf(lab))
  const { journals } = labFiles(lab.directory)
  await mkdir(journals, { recursive: true })
  await Promise.all(
    lab.rack.machines.map(async ({ name }) => {
      const journal = await client
        .journal(name, 'text/plain')
        .catch((error: unknown) => `no journal: ${messageOf(error)}\n`)
      await writeFile(join(journals, `${name}.txt`), journal)
    }),
  )
}

/** What the lab's server takes from its administrator; the server runs. */
function tokenOf(lab: Lab): string | undefined {
  return tokenIn(labFiles(lab.directory).serverState)
}

/** Everything that can be wrong in a file is found before anything is started. */
async function readAll(options: LabUp): Promise<{ rack: Rack; site: Site | undefined }> {
  if (!['boot', 'cluster', 'openstack'].includes(options.until)) {
    throw new Failure('BAD_OPTION', `--until ${options.until} is no stage`, 'give boot, cluster or openstack')
  }
  const { driver, lab: name } = options
  if (driver !== undefined && !isDriver(driver)) {
    throw new Failure('BAD_OPTION', `--driver ${driver} is unknown`, 'give container or qemu')
  }
  const { expectSite, LAB_NAME, LAB_NAME_WORDS, readRack } = await import('#lab/rack.ts')
  if (name !== undefined && !LAB_NAME.test(name))
    throw new Failure('BAD_OPTION', `--lab "${name}" is no name for a lab`, `give ${LAB_NAME_WORDS}`)
  const { readSiteFile } = await import('#rack/site/read.ts')
  const { checkDataDirectory } = await import('#rack/site/check-data.ts')
  const read = await readRack(options.rackFile)
  const site = read.site === undefined ? undefined : await readSiteFile(read.site)
  if (site !== undefined) {
    await expectSite(options.rackFile, site)
    await checkDataDirectory(site, read.data ?? options.root)
  }
  const machines = read.machines.map(machine => (isDriver(driver) ? { ...machine, driver } : machine))
  return { rack: { ...read, machines, ...(name === undefined ? {} : { name }) }, site }
}

function isDriver(text: string | undefined): text is RackMachine['driver'] {
  return text === 'container' || text === 'qemu'
}

async function prepare(site: Site | undefined, { stage, signal }: LongWork): Promise<ImageSet> {
  const { ensurePrerequisites } = await import('#host/prerequisites.ts')
  const { labPrerequisites, openstackClientPrerequisites } = await import('#lab/prerequisites.ts')
  const { buildImages } = await import('#images/build.ts')
  await inStage(stage, 'packages', inner =>
    ensurePrerequisites(inner, [...labPrerequisites, ...openstackClientPrerequisites]),
  )
  const version = site === undefined ? {} : { kubernetes: site.cluster.kubernetes }
  return inStage(stage, 'images', inner => buildImages({ ...version, stage: inner, signal }))
}

/** Only boots: each machine gets what the site (or the rack's data directory) says, and reports ready. */
async function bootAll(
  lab: Lab,
  site: Site | undefined,
  server: string,
  { stage, signal }: LongWork,
): Promise<void> {
  const { ServerClient } = await import('#client/server.ts')
  const { BootWatch } = await import('#rack/up/boots.ts')
  const client = new ServerClient(server, tokenOf(lab))
  if (site !== undefined) {
    const { publish } = await import('#rack/up/publish.ts')
    await mkdir(labFiles(lab.directory).up, { recursive: true }) // the state of `pilotlight up`, which may come after
    await inStage(stage, 'publish', work => publish(site, client, labFiles(lab.directory).up, work))
  }
  const ready = new Set((await client.machines()).flatMap(it => (isReady(it.phase) ? [it.name] : [])))
  const watch = await BootWatch.start(client, signal)
  try {
    await inStage(stage, 'boot', async boot => {
      await Promise.all(
        lab.rack.machines.map(async ({ name }) => {
          const stage = boot.child(name)
          const machine = lab.machine(name)
          if (ready.has(name) && machine.isOn()) return stage.skipped('ready already')
          await Promise.all([watch.ready(name, stage, BOOT_LIMIT_SECONDS), machine.powerOn()])
        }),
      )
    })
  } finally {
    await watch.close()
  }
}

/** Emulated machines are slow: the limit suits a guest without hardware help on a busy host. */
const BOOT_LIMIT_SECONDS = 900

/** Runs `pilotlight up` in the rack's network, shows its stages as ours, and gives the lines it ended with. */
async function upInRack(
  { options, images }: Task,
  lab: Lab,
  serverUrl: string,
  { stage, signal }: LongWork,
): Promise<string[]> {
  signal.throwIfAborted() // the listener below hears of nothing that was before it
  const self = join(options.root, 'bin', 'pilotlight')
  const power = `${shellWord(self)} lab power on {name} --lab ${lab.name}`
  const argv = lab.inRack([
    self,
    'up',
    lab.rack.site ?? '',
    `--server=${serverUrl}`,
    `--state=${labFiles(lab.directory).up}`,
    `--tools=${images.tools}`,
    `--data-path=${lab.rack.data ?? options.root}`,
    `--power-on=${power}`,
    `--until=${options.until}`,
  ])
  const [command = '', ...args] = argv
  const child = spawn(command, args, {
    env: { ...process.env, [RELAY_VARIABLE]: 'json', PILOTLIGHT_TOKEN: tokenOf(lab) },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // Ctrl-C reaches it through us, once
  })
  const graft = graftLines(stage)
  const said: string[] = []
  createInterface(child.stderr).on('line', line => {
    if (graft(line)) return
    said.push(line)
  })
  createInterface(child.stdout).on('line', line => said.push(line))
  const stop = () => child.kill('SIGINT')
  signal.addEventListener('abort', stop, { once: true })
  try {
    const status = await new Promise<number>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', code => resolve(code ?? EXIT.failed))
    })
    signal.throwIfAborted()
    if (status !== 0) {
      const [what = '', ...more] = said
        .join('\n')
        .replace(/^error /, '')
        .split('\n  ')
      throw new UpFailed(status, what || `pilotlight up ended with ${status}`, more.join('\n  '))
    }
    return said
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
