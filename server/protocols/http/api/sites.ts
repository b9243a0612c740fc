// What `pilotlight up` sends to the server: sites, their authorities and bundles, each replaced as a whole.

import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { FastifyPluginCallback } from 'fastify'
import type { SiteSigning, BundleDescription, BundleFile, SiteAuthority } from '#model/bundle.ts'
import { cleanLabel } from '#model/clean.ts'
import type { Fault } from '#model/fault.ts'
import { isHostLabel } from '#model/host-name.ts'
import type { Kind } from '#model/kinds.ts'
import { type SiteObjects, siteSchema } from '#model/site.ts'
import { messageOf } from '#progress/wait.ts'
import type { AuthorityPut } from '../../../agent/authorities.ts'
import { bundleArchive } from '../../../agent/bundle.ts'
import { BadRequest, NotFound } from '../../../errors.ts'
import { InvalidObject } from '../../../store/errors.ts'
import type { Catalog } from '../../../inventory/catalog.ts'
import type { Inventory } from '../../../inventory/inventory.ts'
import {
  refuseOverlap,
  refuseServerAddresses,
  siteFaults,
  siteWarnings,
  type ServerPlace,
} from '../../../inventory/site-check.ts'
import { checkObject } from '../../../inventory/object-check.ts'
import { auditingOf, noteAudited, noteChange } from './audit.ts'
import type { Log } from '../../../log.ts'
import { refuseInClear } from './secret-in-clear.ts'
import { problemAnswer } from '../wire/problems.ts'
import { pretty } from '../wire/replies.ts'
import { authorityBody, bundleBody, dryRunQuery, replaceQuery } from './site-bodies.ts'

/** What these routes need of the service. */
export type SiteNeeds = {
  readonly catalog: () => Catalog
  readonly inventory: Pick<Inventory, 'putSite'>
  readonly putBundle: (machine: string, bundle: BundleDescription) => Promise<boolean>
  /** Where the server is, as of now. */
  readonly place: () => Promise<ServerPlace>
  /** All sites, and the subnet of each. */
  readonly sites: () => Promise<readonly { readonly name: string; readonly subnet: string }[]>
  readonly putAuthority: (
    site: string,
    authority: SiteAuthority,
    mayReplace: boolean,
  ) => Promise<AuthorityPut>
  /** Until when a site can sign, in milliseconds since 1970; undefined when it has no authority. */
  readonly signing: (
    site: string,
  ) => Promise<{ readonly authority?: string; readonly ends?: number; readonly until?: number } | undefined>
  readonly log: Log
}

/** Bytes that a bundle may have: certificates, manifests, small archives. */
const BUNDLE_BYTES = 16 << 20

/**
 * `PUT /v1/sites/{name}`, `PUT /v1/sites/{name}/authority`, `GET /v1/sites/{name}/signing` and `PUT
 * /v1/machines/{name}/bundle`. Authorities and bundles are never read back, and are taken only over HTTPS or from this host.
 */
export const siteRoutes: FastifyPluginCallback<SiteNeeds> = (app, needs, done) => {
  const { catalog, inventory, place, putBundle, sites, putAuthority, signing, log } = needs
  app.setErrorHandler(problemAnswer(log))

  app.put<{ Params: { name: string }; Querystring: { dryRun: boolean }; Body: SiteObjects }>(
    '/v1/sites/:name',
    {
      config: { audit: 'site.put' },
      schema: {
        tags: ['sites'],
        summary: 'Replaces all that a site declares',
        querystring: dryRunQuery,
        body: siteSchema,
      },
      bodyLimit: BUNDLE_BYTES,
    },
    async (request, reply) => {
      const { params, body } = request
      const { name } = params
      if (!isHostLabel(name))
        throw new BadRequest(
          `"${cleanLabel(name)}" cannot be the name of a site: use lower-case letters, digits and dashes, at most 63.`,
        )
      const by = { who: request.identity.name, audit: auditingOf(request) }
      const site = checkedSite(body)
      refuseOverlap(name, site, await sites())
      const here = await place()
      refuseServerAddresses(name, site, here, machine => catalog().machine({ name: machine })?.address)
      const warnings = siteWarnings(name, site, here, id => catalog().profiles.get(id))
      if (request.query.dryRun) {
        noteAudited(request)
        return reply.send({ dryRun: true, warnings })
      }
      const changed = await inventory.putSite(name, site, by)
      noteAudited(request)
      for (const warning of warnings) log('warn', warning, { site: name })
      log('info', changed ? 'site changed' : 'site as before', { site: name, machines: body.machines.length })
      return reply.send({ changed, warnings })
    },
  )

  app.put<{ Params: { name: string }; Querystring: { replace: boolean }; Body: SiteAuthority }>(
    '/v1/sites/:name/authority',
    {
      onRequest: refuseInClear,
      config: { audit: 'site.authority' },
      schema: {
        tags: ['sites'],
        summary: 'Replaces what signs for a site',
        querystring: replaceQuery,
        body: authorityBody,
      },
      bodyLimit: BUNDLE_BYTES,
    },
    async (request, reply) => {
      const { body } = request
      const { name } = request.params
      if (!(await sites()).some(site => site.name === name)) throw new NotFound('site', name, 'Put it first.')
      checkSigners(body)
      const put = await putAuthority(name, body, request.query.replace)
      const signers = Object.keys(body.signers).join(' ')
      if (put.changed) noteChange(request, { summary: `signers ${signers}` })
      else noteAudited(request)
      log('info', put.changed ? 'authority changed' : 'authority as before', { site: name, signers })
      return reply.send(put)
    },
  )

  app.get<{ Params: { name: string } }>(
    '/v1/sites/:name/signing',
    { schema: { tags: ['sites'], summary: 'Until when a cluster renews certificates without this server' } },
    async ({ params: { name } }, reply) => {
      const found = await signing(name)
      if (found === undefined) throw new NotFound('authority of site', name, "'pilotlight up' puts it.")
      const { authority, ends, until } = found
      const view: SiteSigning = {
        ...(authority !== undefined && { authority }),
        ...(ends !== undefined && { ends: new Date(ends).toISOString() }),
        ...(until !== undefined && { until: new Date(until).toISOString() }),
      }
      return pretty(reply, view)
    },
  )

  app.put<{ Params: { name: string }; Body: BundleDescription | BundleFile[] }>(
    '/v1/machines/:name/bundle',
    {
      onRequest: refuseInClear,
      config: { audit: 'machine.bundle' },
      schema: {
        tags: ['machines'],
        summary: 'Replaces what a machine fetches once in a boot',
        body: bundleBody,
      },
      bodyLimit: BUNDLE_BYTES,
    },
    async (request, reply) => {
      const { body } = request
      const { name } = request.params
      if (catalog().machine({ name }) === undefined) {
        throw new NotFound('machine', name, 'Declare it in the site file first.')
      }
      const bundle = Array.isArray(body) ? { files: body, requests: [], secrets: [] } : body
      checkPaths(bundle)
      const changed = await putBundle(name, bundle)
      if (!changed) noteAudited(request)
      const { files, requests, secrets } = bundle
      const counts = { files: files.length, certificates: requests.length, secrets: secrets.length }
      log('info', changed ? 'bundle changed' : 'bundle as before', { machine: name, ...counts })
      return reply.send({ changed })
    },
  )
  done()
}

/** Refuses a signer whose certificate and key do not belong together. */
function checkSigners({ signers }: SiteAuthority): void {
  for (const [name, { certificate, key }] of Object.entries(signers)) {
    try {
      if (new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))) continue
    } catch (cause) {
      throw new BadRequest(`Signer "${name}" is not a certificate and a private key in PEM.`, { cause })
    }
    throw new BadRequest(`Certificate and private key of signer "${name}" do not belong together.`)
  }
}

/** Refuses a path that cannot be delivered: so the client that puts it gets the error, and not the machine. */
function checkPaths({ files, requests, secrets }: BundleDescription): void {
  const paths = [
    ...files.map(({ path }) => path),
    ...requests.flatMap(({ key, certificate }) => [key, certificate]),
    ...secrets.map(({ path }) => path),
  ]
  try {
    bundleArchive(
      paths.map(path => ({ path, mode: 0o600, content: '' })),
      0,
    )
  } catch (error) {
    throw new BadRequest(messageOf(error), { cause: error })
  }
  refuseTwice('path', paths)
  refuseTwice(
    'request',
    requests.map(({ name }) => name),
  )
}

/** Checks every object of a site, and that none is there twice; gives them normalised. */
function checkedSite(site: SiteObjects): SiteObjects {
  const faults: Fault[] = []
  const check = <T>(kind: Kind, objects: readonly T[]): T[] =>
    objects.map((object, at) => {
      const { good, faults: found } = checkObject(kind, object)
      const { id, name } = object as { id?: string; name?: string } // by the schema: a machine has no id
      for (const fault of found) {
        const pointer = `/${kind}s/${at}${fault.pointer}`
        faults.push({ ...fault, pointer, detail: `${kind} ${id ?? name}: ${fault.detail}` })
      }
      return (good?.object as T | undefined) ?? object // checked as an object of its kind
    })
  const machines = check('machine', site.machines)
  const profiles = check('profile', site.profiles)
  const groups = check('group', site.groups)
  faults.push(...siteFaults({ ...site, machines }))
  if (faults.length > 0) throw new InvalidObject(faults)
  const names = machines.map(({ name }) => name)
  const addresses = machines.map(({ address }) => address)
  const macs = machines.flatMap(machine => machine.macs)
  const groupIds = groups.map(({ id }) => id)
  const profileIds = profiles.map(({ id }) => id)
  const unique = { machine: names, address: addresses, MAC: macs, group: groupIds, profile: profileIds }
  for (const [what, ids] of Object.entries(unique)) refuseTwice(what, ids)
  return { ...site, machines, profiles, groups }
}

function refuseTwice(what: string, ids: readonly string[]): void {
  const seen = new Set<string>()
  const twice = ids.find(id => seen.size === seen.add(id).size)
  if (twice !== undefined) throw new BadRequest(`${what} "${twice}" is there twice. Keep one.`)
}
