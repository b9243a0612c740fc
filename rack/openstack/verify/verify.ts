// The proof that a cloud works: a guest is booted in it, from its own image, on its own network, and answers. Each check
// starts as soon as what it needs is there, so a verification that is begun while the cloud still comes up ends a few
// seconds after the last service. What it made is removed again, however it ends.

import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { takeLock } from '#host/lock.ts'
import type { Stage } from '#progress/stage.ts'
import type { Seen } from '#progress/wait.ts'
import type { Site } from '../../site/site.ts'
import { serviceTypes } from '../catalog.ts'
import { connectAdmin, type OpenstackClient } from '../client.ts'
import { Checks, type Check, type CheckResult } from './check.ts'
import { VerificationFailed, VerificationRuns } from './errors.ts'
import { readGuest, type GuestImage, type GuestSource } from './guest-image.ts'
import { storeImages } from './images.ts'
import { awaitAnswer, leadOutside, makeNetwork } from './network.ts'
import { NAME_PREFIX, removeThings } from './removal.ts'
import { awaitGuest, awaitHosts, bootServer, makeFlavor, readDriver, type Driver } from './server.ts'
import { awaitService, makingServices } from './service.ts'

/** The options of a verification. */
export type VerifyOptions = {
  readonly site: Site
  /** The password of the cloud's administrator; undefined while there is none yet, and then it is asked for again. */
  readonly password: () => Promise<string | undefined>
  /** Where it is kept that a verification runs, and that one did not clean up. */
  readonly stateDirectory: string
  readonly guest: GuestSource
  /** Seconds in which a service must answer; long while the cloud still comes up. */
  readonly serviceSeconds: number
  readonly stage: Stage
  readonly signal?: AbortSignal
}

/** What was seen. */
export type Verification = {
  readonly authUrl: string
  /** The types of the catalog's services, for example `identity`. */
  readonly services: readonly string[]
  readonly checks: readonly CheckResult[]
  readonly guest: {
    /** In its own network. */
    readonly address: string
    /** Where it answered from outside; absent when the external network is not reachable from here. */
    readonly answeredAt?: string
    readonly host: string
    readonly driver: Driver
  }
  /** When it was seen, by `performance.now()` of this process. */
  readonly at: {
    readonly token: number
    readonly active: number
    readonly guestUp: number
    readonly answered?: number
  }
}

/** Seconds until a server is ACTIVE, its guest up and its address answering, on a host that emulates and is busy. */
const limits = { active: 240, guestUp: 180, answer: 60, removal: 120 }

/**
 * Boots a guest in the cloud and looks at it from inside and from outside; then removes everything that this and any
 * earlier, killed verification made, the latter first where the state directory remembers one. One verification at a
 * time: two would remove each other's things.
 *
 * @throws {VerificationFailed} with every check that was made
 * @throws {VerificationRuns} while another one uses the state directory
 * @throws the signal's reason, when it is aborted
 */
export async function verifyOpenstack(options: VerifyOptions): Promise<Verification> {
  const { stateDirectory, stage, signal, serviceSeconds } = options
  const unlock = takeLock(join(stateDirectory, 'verify.lock'), holder => new VerificationRuns(holder))
  const checks = new Checks(stage, serviceSeconds, signal)
  try {
    const seen = await makeChecks(options, checks)
    return { ...seen, checks: checks.results }
  } catch (cause) {
    signal?.throwIfAborted()
    throw new VerificationFailed(checks.results, { cause })
  } finally {
    unlock()
  }
}

async function makeChecks(options: VerifyOptions, checks: Checks): Promise<Omit<Verification, 'checks'>> {
  const { stateDirectory, guest: source } = options
  // A guest that is not there is reported at once, not when a minute has gone by.
  const [guest, cloud] = await allOf([
    checks.run('guest files', () => readGuest(source)),
    checks.run('token', check => check.service('identity', () => connect(options))),
  ])
  const token = performance.now()
  const unfinished = join(stateDirectory, 'verify.unfinished')
  if (existsSync(unfinished)) await checks.run('leftovers', check => removeLeftovers(cloud, check))
  await writeFile(unfinished, '')
  try {
    return await bootGuest(options, checks, cloud, guest, token)
  } finally {
    await checks.last('removal', async check => {
      const removed = await removeThings(cloud, checks.reached, check, limits.removal)
      check.note(`${removed} things, nothing left`)
    })
    await rm(unfinished)
  }
}

/** What runs that were killed have left fills the project's quotas, so it goes before anything is made. */
async function removeLeftovers(cloud: OpenstackClient, check: Check): Promise<void> {
  for (const service of makingServices) await awaitService(cloud, check, service)
  const removed = await removeThings(cloud, new Set(makingServices), check, limits.removal)
  check.note(`${removed} things`)
}

/** One try to get a token. The chart stage may still be about to make the password. */
async function connect({ site, password, stateDirectory }: VerifyOptions): Promise<Seen<OpenstackClient>> {
  const known = await password()
  if (known === undefined) return { not: `${stateDirectory} has no password of the cloud's admin` }
  return { value: await connectAdmin(site, known) }
}

async function bootGuest(
  { site }: VerifyOptions,
  checks: Checks,
  cloud: OpenstackClient,
  guest: GuestImage,
  token: number,
): Promise<Omit<Verification, 'checks'>> {
  const name = `${NAME_PREFIX}${Date.now().toString(36)}`
  const network = checks.run('network', check => makeNetwork(cloud, check, name))
  const outside = network.then(made =>
    checks.run('router', check => leadOutside(cloud, check, name, site, made)),
  )
  const booted = allOf([
    checks.run('image', check => storeImages(cloud, check, name, guest)),
    checks.run('flavor', check => makeFlavor(cloud, check, name, guest)),
    network,
    checks.run('hosts', check => awaitHosts(cloud, check)),
  ]).then(async ([image, flavor, { port }]) => {
    const parts = { name, flavor, image, port: port.id }
    const server = await checks.run('server', check => bootServer(cloud, check, parts, limits.active))
    const active = performance.now()
    await checks.run('guest', check =>
      awaitGuest(cloud, check, server.id, port.address, guest, limits.guestUp),
    )
    return { server, active, guestUp: performance.now() }
  })
  const [{ server, active, guestUp }, wayIn, made] = await allOf([booted, outside, network])
  const answeredAt = await checks.run('address', check =>
    awaitAnswer(check, made, wayIn, guest, limits.answer),
  )
  const answered = answeredAt === undefined ? {} : { answered: performance.now() }
  const driver = await checks.run('driver', async check => {
    const driver = await readDriver(cloud, server.id)
    check.note(`${driver.name} with ${driver.hypervisor}`)
    return driver
  })
  const services = await checks.run('catalog', async check => {
    const types = serviceTypes(await cloud.catalog())
    check.note(types.join(' '))
    return types
  })
  return {
    authUrl: cloud.authUrl,
    services,
    guest: {
      address: made.port.address,
      host: server.host,
      driver,
      ...(answeredAt === undefined ? {} : { answeredAt }),
    },
    at: { token, active, guestUp, ...answered },
  }
}

/** Waits for all, so that nothing is under way any more when the first failure is thrown. */
async function allOf<T extends readonly Promise<unknown>[]>(
  parts: readonly [...T],
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(parts)
  return Promise.all(parts)
}
