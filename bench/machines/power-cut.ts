// Does the cloud come back by itself after a power cut of all machines at once, with the same guest, its disk and its volume? A rack of
// machines with disks is brought up; a guest is made that stays, with a volume; then the power of the whole rack is cut and given again,
// time after time, and it is waited until the guest answers at its floating IP and says that its disks have seen one start more. No
// command of this program repairs anything in between.
//
//   node_modules/.bin/node bench/machines/power-cut.ts --record docs/runs/DATE-power-cuts.jsonl [--cuts 10]
//
// The bar: each cut takes 1.2 times as long as the first bring-up of the same lab at most, from power-on to the guest's answer. Each
// bring-up and each cut is a line of JSON in the record. A run that was interrupted goes on with the same lab, or brings it up anew where
// it is down. It ends at a cut that does not come back, with the lab as it is, to be looked at; `pilotlight lab down --lab power`, and
// the next run goes on. Ends with 1 where a cut is missing, failed or took longer than the bar.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { CommandFailed, run } from '#host/command.ts'
import { textIfThereSync } from '#host/read-if-there.ts'
import { findLab } from '#lab/lab.ts'
import { silentStage } from '#progress/stage.ts'
import { messageOf, waitUntil } from '#progress/wait.ts'
import { adminPassword } from '#rack/charts/secrets/secrets.ts'
import { serviceTypes } from '#rack/openstack/catalog.ts'
import { connectAdmin, type OpenstackClient } from '#rack/openstack/client.ts'
import { readServer } from '#rack/openstack/compute.ts'
import { Checks } from '#rack/openstack/verify/check.ts'
import { readGuest } from '#rack/openstack/verify/guest-image.ts'
import { storeImages } from '#rack/openstack/verify/images.ts'
import { awaitAnswer, leadOutside, makeNetwork } from '#rack/openstack/verify/network.ts'
import { awaitHosts, bootServer, makeFlavor } from '#rack/openstack/verify/server.ts'
import { readSiteFile } from '#rack/site/read.ts'
import { circumstances, openRecord, type Circumstances } from '../record.ts'

const { values: flags } = parseArgs({
  options: {
    lab: { type: 'string', default: 'power' },
    rack: { type: 'string', default: 'lab/racks/small-disk/rack.yaml' },
    site: { type: 'string', default: 'lab/racks/small-disk/site.yaml' },
    server: { type: 'string', default: 'http://10.20.0.1:8080' },
    cuts: { type: 'string', default: '10' },
    limit: { type: 'string', default: '900' },
    record: { type: 'string' },
    'in-rack': { type: 'string' },
  },
})
const BAR = 1.2
const MAIN = join(import.meta.dirname, '../../cli/main.js')
const SELF = import.meta.filename
const labFolder = join('lab-state', flags.lab)
const state = join(labFolder, 'up')
/** What is known of the lab that is up: it goes with the lab. */
const keptFile = join(labFolder, 'power-cut.json')

/** What is asked after each cut: the guest, and where it says how often its disks have seen a start. */
type Kept = { readonly server: string; readonly address: string; readonly disks: number }
/** A lab: seconds from power-on to the answer of the first guest, when it was brought up. */
type Lab = { readonly kept: Kept; readonly first: number }
/** A line of the record. `seconds` of a cut are from the power-on to the guest's answer; `why`: what was missing instead; `of` is its part of the bring-up. */
type BringUp = { readonly what: 'bring-up'; readonly at: string; readonly seconds: number }
type Cut = {
  readonly what: 'cut'
  readonly at: string
  readonly seconds?: number
  readonly of?: number
  /** Seconds until Keystone and Nova answered as well, and called the guest active. */
  readonly cloud?: number
  readonly starts?: string
  readonly why?: string
}
type Noted = (BringUp | Cut) & Pick<Circumstances, 'load' | 'commit'>

if (flags['in-rack'] === 'make') process.stdout.write(`${JSON.stringify(await makeGuest())}\n`)
else if (flags['in-rack'] !== undefined) process.stdout.write(`${await status(flags['in-rack'])}\n`)
else await cutAgainAndAgain()

async function cutAgainAndAgain(): Promise<void> {
  const record = openRecord<Noted>(flags.record)
  const note = (line: BringUp | Cut): void => {
    const { load, commit } = circumstances()
    const noted: Noted = { ...line, load, commit }
    record.add(noted)
    process.stdout.write(`${JSON.stringify(noted)}\n`)
  }
  const cuts = () => record.lines().filter(line => line.what === 'cut')
  if (cuts().length < Number(flags.cuts)) {
    const lab = await labThatIsUp(note)
    while (cuts().length < Number(flags.cuts)) {
      const cut = await cutOnce(lab)
      note(cut)
      if (cut.seconds === undefined) break // what is wrong is looked at in the lab as it is
    }
  }
  const back = cuts().filter(cut => cut.seconds !== undefined)
  const within = back.filter(({ of = 0 }) => of <= BAR)
  const worst = Math.max(...back.map(({ of = 0 }) => of))
  process.stdout.write(
    `${back.length} of ${cuts().length} came back by themselves; the slowest took ${worst} of its first bring-up, bar ${BAR}\n`,
  )
  if (cuts().length < Number(flags.cuts) || within.length < cuts().length) process.exitCode = 1
}

/** The lab of an earlier run, or one that is brought up now, with a guest that stays. */
async function labThatIsUp(note: (line: BringUp) => void): Promise<Lab> {
  const earlier = textIfThereSync(keptFile)
  if (earlier !== undefined && findLab(flags.lab) !== undefined) return JSON.parse(earlier) as Lab
  await pilotlight(120, 'lab', 'down', '--lab', flags.lab)
  const at = new Date().toISOString()
  const first = await bringUp()
  note({ what: 'bring-up', at, seconds: first })
  const made = await inRack([process.execPath, SELF, ...common(), '--in-rack', 'make'], 900)
  const lab: Lab = { kept: JSON.parse(made) as Kept, first }
  writeFileSync(keptFile, JSON.stringify(lab))
  return lab
}

/**
 * Brings the lab up; gives the seconds from power-on to the guest's answer. Where a busy host ended the command before that, it is run
 * again, as it says itself, and what is given is when it ended: less than the guest took, so that the bar is not easier to pass.
 */
async function bringUp(): Promise<number> {
  let ended: number | undefined
  for (let tries = 1; ; tries += 1) {
    try {
      const said = await pilotlight(1800, 'lab', 'up', flags.rack, '--keep', '--lab', flags.lab)
      const seconds = ended ?? Number(/([\d.]+) s to the guest/.exec(said)?.[1])
      if (Number.isNaN(seconds)) throw new Error(`the bring-up does not say when its guest answered: ${said}`)
      return seconds
    } catch (error) {
      if (!(error instanceof CommandFailed) || tries === 3) throw error
      const on = /^ *([\d.]+)s {2}power on$/m.exec(error.stderr)?.[1]
      const last = [...error.stderr.matchAll(/^ *([\d.]+)s /gm)].at(-1)?.[1]
      if (on === undefined || last === undefined) throw error
      ended ??= Math.round((Number(last) - Number(on)) * 10) / 10
      process.stdout.write(`${messageOf(error)}\n`)
    }
  }
}

async function cutOnce({ kept, first }: Lab): Promise<Cut> {
  const what = 'cut'
  const at = new Date().toISOString()
  try {
    const before = await startsOf(kept)
    const wanted = before.map(({ disk, starts }) => `${disk} ${starts + 1}`).join('\n')
    await pilotlight(120, 'lab', 'power', 'off', '--hard', '--wait', '--lab', flags.lab)
    const began = performance.now()
    await pilotlight(120, 'lab', 'power', 'on', '--lab', flags.lab)
    await waitUntil('the guest', { limitSeconds: Number(flags.limit), everyMs: 500 }, async () => {
      const text = await textOf(kept)
      return text === wanted
        ? { value: true }
        : { not: text === '' ? 'no answer' : `it says ${JSON.stringify(text)}` }
    })
    const seconds = Math.round((performance.now() - began) / 100) / 10
    await sleep(5000) // what is started late must not end it again
    const ask = [process.execPath, SELF, ...common(), '--in-rack', kept.server]
    await waitUntil('the cloud', { limitSeconds: 600, everyMs: 1000 }, async () => {
      const says = (await inRack(ask, 120)).trim()
      return says === 'ACTIVE' ? { value: true } : { not: `the server is ${says}` }
    })
    const cloud = Math.round((performance.now() - began) / 100) / 10
    if ((await textOf(kept)) !== wanted) throw new Error('the guest did not stay')
    const of = Math.round((seconds / first) * 100) / 100
    return { what, at, seconds, of, cloud, starts: wanted.replaceAll('\n', ', ') }
  } catch (error) {
    return { what, at, why: messageOf(error) }
  }
}

async function pilotlight(limitSeconds: number, ...words: readonly string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [MAIN, ...words], { limitSeconds })
  return stdout
}

async function startsOf(kept: Kept): Promise<{ disk: string; starts: number }[]> {
  const text = await waitUntil('the guest before the cut', { limitSeconds: 120, everyMs: 500 }, async () => {
    const said = await textOf(kept)
    return said.split('\n').length === kept.disks ? { value: said } : { not: said }
  })
  return text.split('\n').map(line => {
    const [disk = '', starts] = line.split(' ')
    return { disk, starts: Number(starts) }
  })
}

/** What the guest says of its disks; nothing while it does not answer. */
async function textOf({ address }: Kept): Promise<string> {
  const url = `http://${address}/starts`
  return (await inRack(['curl', '--silent', '--fail', '--max-time', '3', url], 20).catch(() => '')).trim()
}

async function inRack(words: readonly string[], limitSeconds: number): Promise<string> {
  return pilotlight(limitSeconds, 'lab', 'exec', '--lab', flags.lab, 'rack', ...words)
}

function common(): string[] {
  return ['--lab', flags.lab, '--site', flags.site, '--server', flags.server]
}

async function cloudOf(): Promise<{
  site: Awaited<ReturnType<typeof readSiteFile>>
  cloud: OpenstackClient
}> {
  const site = await readSiteFile(flags.site, state)
  return { site, cloud: await connectAdmin(site, (await adminPassword(state)) ?? '') }
}

async function status(id: string): Promise<string> {
  return (await readServer((await cloudOf()).cloud, id)).status
}

/** A guest that stays, with a floating IP, and a volume where the cloud has them. */
async function makeGuest(): Promise<Kept> {
  const { site, cloud } = await cloudOf()
  const guest = await readGuest({ url: `${flags.server}/assets/guest` })
  const checks = new Checks(silentStage, 120)
  const name = `kept-${Date.now().toString(36)}`
  const network = await checks.run('network', check => makeNetwork(cloud, check, name))
  const wayIn = await checks.run('router', check => leadOutside(cloud, check, name, site, network))
  const image = await checks.run('image', check => storeImages(cloud, check, name, guest))
  const flavor = await checks.run('flavor', check => makeFlavor(cloud, check, name, guest))
  await checks.run('hosts', check => awaitHosts(cloud, check))
  const parts = { name, flavor, image, port: network.port.id }
  const server = await checks.run('server', check => bootServer(cloud, check, parts, 240))
  const address = await checks.run('answer', check => awaitAnswer(check, network, wayIn, guest, 240))
  if (address === undefined) throw new Error('the guest is not reached from here')
  if (!serviceTypes(await cloud.catalog()).includes('volumev3'))
    return { server: server.id, address, disks: 1 }
  await checks.run('volume', async check => {
    const made = await cloud.post<{ volume: { id: string } }>('volumev3', '/volumes', {
      volume: { name, size: 1 },
    })
    await check.until('the volume is there', 120, async () => {
      const { volume } = await cloud.get<{ volume: { status: string } }>(
        'volumev3',
        `/volumes/${made.volume.id}`,
      )
      return volume.status === 'available' ? { value: true } : { not: volume.status }
    })
    const volumeAttachment = { volumeId: made.volume.id }
    await cloud.post('compute', `/servers/${server.id}/os-volume_attachments`, { volumeAttachment })
  })
  return { server: server.id, address, disks: 2 }
}
