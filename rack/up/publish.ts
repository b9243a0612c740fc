// Puts a site on a server: the machines and their groups, what signs for it, and what each machine fetches once in a boot.

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { makeDirectory } from '#host/make-directory.ts'
import { Failure } from '#model/error.ts'
import { Refusal } from '#client/refusal.ts'
import type { ServerClient } from '#client/server.ts'
import type { Stage } from '#progress/stage.ts'
import { machineBundle, siteAuthority } from '../cluster/bundle.ts'
import { ensurePki, fingerprintOfPki, type Pki } from '../cluster/pki.ts'
import { compileSite } from '../site/compile.ts'
import { claimState } from '../site/kept-of-site.ts'
import type { Site } from '../site/site.ts'
import { keepSigningDay } from './signing-day.ts'
import { siteKey } from './site-key.ts'

/** What a published site is worked on with. */
export type Published = {
  readonly pki: Pki
  /** Milliseconds since 1970 until which controllers that boot now can renew the certificates of kubelets by themselves. */
  readonly signsUntil: number
}

/** What `publish` calls on its way. */
export type PublishOptions = {
  /** When the server is found fit, before it has anything of the site. */
  readonly beforePut?: () => void
  /** Shows a person what the server says of the site, a line each. */
  readonly show?: (line: string) => void
  /** What the server said of the site before, and a person has seen. */
  readonly shown?: readonly string[]
  /** Puts the authority of `state` in the place of another one that the server keeps for the site. */
  readonly replaceAuthority?: boolean
}

/**
 * Publishes `site`, whose certificates are kept (or made) below `state`, and gives them. Safe to repeat.
 *
 * @throws {Failure} NOT_FOUND when the server's data directory is not one that these machines can boot from;
 *   OTHER_AUTHORITY when the server has the site with the certificates of another state directory
 */
export async function publish(
  site: Site,
  client: ServerClient,
  state: string,
  stage: Stage,
  {
    beforePut = () => undefined,
    show = () => undefined,
    shown = [],
    replaceAuthority = false,
  }: PublishOptions = {},
): Promise<Published> {
  const directory = join(state, 'pki')
  const isFirst = !existsSync(directory)
  if (!replaceAuthority) await refuseOtherAuthority(site.name, client, state, directory)
  stage.waiting('certificates')
  makeDirectory(state)
  claimState(state, site.name)
  const pki = await ensurePki(directory, await siteKey(state, directory))
  stage.waiting('the server')
  const objects = compileSite(site)
  for (const profile of new Set(objects.groups.map(group => group.profile))) await bootable(profile, client)
  beforePut()
  const { changed, warnings } = await client.putSite(site.name, objects)
  for (const warning of warnings) if (!shown.includes(warning)) show(warning)
  // First: bundles are signed with it.
  const authority = await client.putAuthority(
    site.name,
    siteAuthority(pki, site.access.console),
    replaceAuthority,
  )
  const { signsUntil } = authority
  keepSigningDay(state, site.name, signsUntil)
  let bundles = 0
  for (const machine of site.machines)
    if (await client.putBundle(machine.name, machineBundle(site, pki, machine))) bundles += 1
  const news = [
    ...(isFirst ? [`a certificate authority in ${directory}`] : []),
    ...(changed ? ['the site'] : []),
    ...(authority.changed && !isFirst ? ['its authority'] : []),
    ...(bundles > 0 ? [`${bundles} bundle${bundles === 1 ? '' : 's'}`] : []),
  ]
  stage.done(
    `${site.machines.length} machines, ${news.length === 0 ? 'as they were' : `new: ${news.join(', ')}`}`,
  )
  return { pki, signsUntil }
}

/**
 * Looks whether the server has the site with the certificates of another state directory: with those of `state` every machine
 * would be a stranger to the cluster that runs. Nothing was made or put yet.
 */
export async function refuseOtherAuthority(
  site: string,
  client: Pick<ServerClient, 'authorityOf'>,
  state: string,
  directory: string,
): Promise<void> {
  const there = await client.authorityOf(site)
  const here = await fingerprintOfPki(directory)
  if (there === undefined || there === here) return
  const what =
    `the server has site ${site} with the authority ${there}, and ${state} has ` +
    (here === undefined ? 'none yet' : here)
  const remedy = `name the state directory of the first \`up\` with --state; to replace every certificate of the site: --replace-authority`
  throw new Failure('OTHER_AUTHORITY', what, remedy)
}

/**
 * Looks whether machines of a profile would come up with the agent: nothing is switched on for a 404.
 *
 * @throws {Failure} NOT_FOUND
 */
export async function bootable(id: string, client: ServerClient): Promise<void> {
  const profile = await client.get(`/profiles/${encodeURIComponent(id)}`).catch((error: unknown) => {
    if (error instanceof Refusal && error.httpStatus === 404) return undefined
    throw error
  })
  const { ignition_id: config } = (profile ?? {}) as { readonly ignition_id?: string } // as a profile has it
  if (config?.endsWith('.njk') === true) return
  const what = `the server has no profile "${id}"${profile === undefined ? '' : ' whose Ignition config brings our agent'}`
  const remedy =
    profile === undefined
      ? `it serves another data directory; put ours beside what is there:  pilotlight import ${ROOT}`
      : `its own profile has that id: rename that one and the profile of its groups, or ${await instead(id, client)}`
  throw new Failure('NOT_FOUND', what, remedy)
}

/** How ours comes in the place of a profile of the server: by where that one is. */
async function instead(id: string, client: ServerClient): Promise<string> {
  const path = `/v1/profiles/${encodeURIComponent(id)}`
  const answer = await client.request('GET', path).catch(() => undefined)
  await answer?.body?.cancel()
  if (answer?.headers.get('x-source') !== 'store')
    return `put ours in its place:  pilotlight import ${ROOT} --hide`
  return `remove it, where ours is in the server's data directory:  pilotlight delete profile ${id}   else put ours in its place:  pilotlight import ${ROOT} --replace`
}

const ROOT = resolve(import.meta.dirname, '../..')
