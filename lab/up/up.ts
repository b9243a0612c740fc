// `pilotlight lab up`: a rack of virtual machines on this host, and then the very `pilotlight up` that a real rack
// gets, run inside the rack's network.

import { mkdir, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { tokenIn } from '#client/credentials.ts'
import { ServerClient } from '#client/server.ts'
import { ensurePrerequisites } from '#host/prerequisites.ts'
import { placeAssets } from '#images/assets.ts'
import { buildImages, type ImageSet } from '#images/build.ts'
import { Failure, PilotlightError } from '#model/error.ts'
import { inStage, type Stage } from '#progress/stage.ts'
import { messageOf } from '#progress/wait.ts'
import { machinesWith } from '#rack/site/duties.ts'
import type { Site } from '#rack/site/site.ts'
import { findLab, lockLab, openLab, type Lab } from '../lab.ts'
import { labPrerequisites, openstackClientPrerequisites } from '../prerequisites.ts'
import type { Rack } from '../rack.ts'
import type { LabServer } from '../server.ts'
import { labFiles } from '../state.ts'
import { upInRack } from './in-rack.ts'
import { readLab, type LabUp } from './read.ts'

/** What a run works with. */
export type LabWork = {
  readonly stage: Stage
  readonly signal: AbortSignal
  /** Keeps what a person must know when the process ends at once. */
  readonly wouldLeave: (text: string | undefined) => void
  /** Shows a person a line while stages are drawn. */
  readonly note: (line: string) => void
  /** Shows what is there once all machines are up. */
  readonly finished: (seen: FinishedLab) => Promise<void>
}

/** A lab whose machines are up. */
export type FinishedLab = {
  readonly lab: Lab
  readonly hostUrl: string
  /** The folder with kubectl. */
  readonly tools: string
  /** What `pilotlight up` ended with; undefined where the machines only booted. */
  readonly upLines: readonly string[] | undefined
  readonly stays: boolean
}

/**
 * Brings a rack up, runs `pilotlight up` in it, shows what is there, and takes it down again unless asked to
 * keep it; also after a failure or Ctrl-C. A lab that was up before stays up: someone may be using it.
 */
export async function labUp(options: LabUp, work: LabWork): Promise<void> {
  const { rack, site } = await readLab(options)
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

async function inLab(task: Task, work: LabWork): Promise<void> {
  const { stage, signal, note } = work
  const { rack, site, images, options } = task
  const wasUp = findLab(rack.name)?.isUp() ?? false
  work.wouldLeave(
    `the lab ${rack.name} stays as it is; take it down:  npm run lab -- down --lab ${rack.name}`,
  )
  const lab = await inStage(stage, 'rack', () => openLab(rack, { signal }))
  if (site !== undefined) await routeToFloatingAddresses(lab, site)
  if (wasUp) note(`the lab ${lab.name} was up before this run, and stays up after it`)
  let server: LabServer | undefined
  try {
    const assetsPath = join(lab.directory, 'assets')
    server = await inStage(stage, 'server', async () => {
      await placeAssets(images, assetsPath)
      return lab.startServer({ assetsPath, signal })
    })
    const { hostUrl } = server
    note(
      `page ${hostUrl}/ui/   logs ${relative('.', lab.directory)}/   stop: npm run lab -- down --lab ${lab.name}`,
    )
    note(`a machine's boot, packet by packet: bin/pilotlight journal NAME --server ${hostUrl}`)
    const wholeWay = site !== undefined && options.until !== 'boot'
    const token = tokenOf(lab)
    let upLines: readonly string[] | undefined
    if (wholeWay) {
      const { root, until } = options
      const { tools } = images
      upLines = await upInRack(lab, { root, tools, until, serverUrl: server.url, token, stage, signal })
    } else {
      const { bootAll } = await import('./boot-all.ts')
      await bootAll(lab, site, new ServerClient(hostUrl, token), stage, signal)
    }
    await work.finished({ lab, hostUrl, tools: images.tools, upLines, stays: options.keep || wasUp })
  } catch (error) {
    signal.throwIfAborted()
    throw withPlaces(error, lab, options)
  } finally {
    if (server !== undefined)
      await keepJournals(lab, server.hostUrl).catch((error: unknown) =>
        note(`the journals are not kept: ${messageOf(error)}`),
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

async function prepare(site: Site | undefined, { stage, signal }: LabWork): Promise<ImageSet> {
  await inStage(stage, 'packages', inner =>
    ensurePrerequisites(inner, [...labPrerequisites, ...openstackClientPrerequisites]),
  )
  const version = site === undefined ? {} : { kubernetes: site.cluster.kubernetes }
  return inStage(stage, 'images', inner => buildImages({ ...version, stage: inner, signal }))
}

/** What the lab's server takes from its administrator; the server runs. */
function tokenOf(lab: Lab): string | undefined {
  return tokenIn(labFiles(lab.directory).serverState)
}
