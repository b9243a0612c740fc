// `pilotlight lab up`: a rack of virtual machines on this host, and then the very `pilotlight up` that a real rack
// gets, run inside the rack's network.

import { spawn } from 'node:child_process'
import { join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import type { ImageSet } from '#images/build.ts'
import type { Lab } from '#lab/lab.ts'
import type { Rack, RackMachine } from '#lab/rack.ts'
import { graftLines, RELAY_VARIABLE } from '#progress/relay.ts'
import { inStage } from '#progress/stage.ts'
import type { Stage } from '#progress/stage.ts'
import type { Site } from '#site/site.ts'
import { CommandError, EXIT } from './exit.ts'
import type { LongWork } from './with-progress.ts'

/** What `lab up` is told. */
export type LabUp = {
  readonly rackFile: string
  readonly root: string
  readonly keep: boolean
  readonly name?: string
  readonly driver?: string
  readonly until: string
}

/**
 * Brings a rack up, runs `pilotlight up` in it, shows how to look around, and takes it down again unless asked to
 * keep it; also after a failure or Ctrl-C.
 */
export async function labUp(options: LabUp, work: LongWork): Promise<void> {
  const { stage, signal, drawing } = work
  const { rack, site } = await readAll(options)
  const images = await prepare(site, stage, signal)
  const { openLab } = await import('#lab/lab.ts')
  const lab = await inStage(stage, 'rack', inner => openLab(rack, { stage: inner, signal }))
  try {
    const assetsPath = join(lab.directory, 'assets')
    const server = await inStage(stage, 'server', async () => {
      const { placeAssets } = await import('#images/assets.ts')
      await placeAssets(images, assetsPath)
      return lab.startServer({ assetsPath })
    })
    drawing.line(
      `page ${server.hostUrl}/ui/   logs ${relative('.', lab.directory)}/   stop: npm run lab -- down ${lab.name}`,
    )
    if (site === undefined || options.until === 'boot') await bootAll(lab, server.hostUrl, stage, signal)
    else await upInRack(options, lab, server.url, images, work)
    work.summary()
    await showAround(lab, server.hostUrl, site, images, options)
  } finally {
    if (!options.keep) await inStage(stage, 'down', () => lab.down())
  }
}

/** Everything that can be wrong in a file is found before anything is started. */
async function readAll(options: LabUp): Promise<{ rack: Rack; site: Site | undefined }> {
  if (!['boot', 'cluster', 'openstack'].includes(options.until)) {
    throw new CommandError(
      EXIT.usage,
      `--until ${options.until} is no stage`,
      'give boot, cluster or openstack',
    )
  }
  const { driver, name } = options
  if (driver !== undefined && !isDriver(driver)) {
    throw new CommandError(EXIT.usage, `--driver ${driver} is unknown`, 'give container or qemu')
  }
  const { readRack } = await import('#lab/rack.ts')
  const { readSiteFile } = await import('#site/read.ts')
  const { checkDataDirectory } = await import('#site/check-data.ts')
  const read = await readRack(options.rackFile)
  const site = read.site === undefined ? undefined : await readSiteFile(read.site)
  if (site !== undefined) await checkDataDirectory(site, read.data ?? options.root)
  const machines = read.machines.map(machine => (isDriver(driver) ? { ...machine, driver } : machine))
  return { rack: { ...read, machines, ...(name === undefined ? {} : { name }) }, site }
}

function isDriver(text: string | undefined): text is RackMachine['driver'] {
  return text === 'container' || text === 'qemu'
}

async function prepare(site: Site | undefined, stage: Stage, signal: AbortSignal): Promise<ImageSet> {
  const { ensurePrerequisites, labPrerequisites, openstackClientPrerequisites } =
    await import('#host/prerequisites.ts')
  const { buildImages } = await import('#images/build.ts')
  await inStage(stage, 'packages', inner =>
    ensurePrerequisites(inner, [...labPrerequisites, ...openstackClientPrerequisites]),
  )
  const version = site === undefined ? {} : { kubernetes: site.cluster.kubernetes }
  return inStage(stage, 'images', inner => buildImages({ ...version, stage: inner, signal }))
}

/** A rack without a site: its machines boot what its data directory says, and report ready. */
async function bootAll(lab: Lab, server: string, stage: Stage, signal: AbortSignal): Promise<void> {
  const { ServerClient } = await import('./server-client.ts')
  const { BootWatch } = await import('./watch-boots.ts')
  const client = new ServerClient(server)
  const watch = new BootWatch(client, (await client.events(0, 0)).last, signal)
  try {
    await inStage(stage, 'boot', async boot => {
      await Promise.all(
        lab.rack.machines.map(async ({ name }) => {
          const ready = watch.ready(name, boot.child(name), BOOT_LIMIT_SECONDS)
          await Promise.all([lab.powerOn(name), ready])
        }),
      )
    })
  } finally {
    await watch.close()
  }
}

/** Emulated machines are slow: the limit suits a guest without hardware help on a busy host. */
const BOOT_LIMIT_SECONDS = 900

/** Runs `pilotlight up` in the rack's network, and shows its stages as ours. */
async function upInRack(
  options: LabUp,
  lab: Lab,
  serverUrl: string,
  images: ImageSet,
  { stage, signal, drawing }: LongWork,
): Promise<void> {
  const self = join(options.root, 'bin', 'pilotlight')
  const power = `${self} lab power on {name} --lab ${lab.name}`
  const argv = lab.inRack([
    self,
    'up',
    lab.rack.site ?? '',
    `--server=${serverUrl}`,
    `--state=${upState(lab)}`,
    `--tools=${images.tools}`,
    `--data-path=${lab.rack.data ?? options.root}`,
    `--power-on=${power}`,
    ...(options.until === 'cluster' ? ['--until-cluster'] : []),
  ])
  const [command = '', ...args] = argv
  const child = spawn(command, args, {
    env: { ...process.env, [RELAY_VARIABLE]: 'json' },
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
      const mend = `logs: ${lab.directory}; go on with: pilotlight lab ${relative('.', options.rackFile)} --keep`
      throw new CommandError(status, said.join('\n').replace(/^error /, ''), mend)
    }
    for (const line of said) drawing.line(line)
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

function upState(lab: Lab): string {
  return join(lab.directory, 'up')
}

/** What exists now, and what to try. */
async function showAround(
  lab: Lab,
  hostUrl: string,
  site: Site | undefined,
  images: ImageSet,
  { keep, until }: LabUp,
): Promise<void> {
  if (site === undefined || until === 'boot') return
  const kubeconfig = join(upState(lab), 'kubeconfig')
  const kubectl = join(images.tools, 'kubectl')
  const { run } = await import('#host/command.ts')
  const [command = '', ...args] = lab.inRack([kubectl, '--kubeconfig', kubeconfig, 'get', 'nodes'])
  say((await run(command, args, { limitSeconds: 30 })).stdout.trimEnd())
  if (!keep) return
  const inRack = `bin/pilotlight lab exec --lab ${lab.name} rack`
  const clouds = join(upState(lab), 'clouds.yaml')
  say(`
look around
  page       ${hostUrl}/ui/
  server     curl ${hostUrl}/machines
  kubectl    ${inRack} ${kubectl} --kubeconfig ${kubeconfig} get pods -A -o wide
  openstack  ${inRack} env OS_CLIENT_CONFIG_FILE=${clouds} OS_CLOUD=pilotlight openstack service list
  machine    bin/pilotlight lab exec --lab ${lab.name} ctl-1 journalctl -b
  down       npm run lab -- down ${lab.name}`)
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
