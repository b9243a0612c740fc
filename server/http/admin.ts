// What `pilotlight up` tells the server: sites and bundles, each replaced as a whole.

import type { FastifyPluginCallback } from 'fastify'
import { BadRequest, NotFound } from '../errors.ts'
import type { Catalog } from '../inventory/catalog.ts'
import type { BundleFile, SiteObjects } from '../inventory/objects.ts'
import { normaliseMac } from '../match/mac.ts'
import { readSelector } from '../match/requirement.ts'
import { tarOf } from '../assets/tar.ts'
import type { Log } from '../log.ts'
import { messageOf } from '#progress/wait.ts'
import { problemAnswer } from './problems.ts'
import { bundleBody, siteBody } from './schemas.ts'

/** What these routes need of the service. */
export type AdminNeeds = {
  readonly catalog: () => Catalog
  readonly putSite: (name: string, objects: SiteObjects) => boolean
  readonly putBundle: (machine: string, files: readonly BundleFile[]) => boolean
  readonly log: Log
}

/** Bytes that a bundle may have: certificates, manifests, small archives. */
const BUNDLE_BYTES = 16 << 20

/** `PUT /v1/sites/{name}` and `PUT /v1/machines/{name}/bundle`. */
export const adminRoutes: FastifyPluginCallback<AdminNeeds> = (app, needs, done) => {
  const { catalog, putSite, putBundle, log } = needs
  app.setErrorHandler(problemAnswer(log))

  app.put<{ Params: { name: string }; Body: SiteObjects }>(
    '/v1/sites/:name',
    { schema: { body: siteBody }, bodyLimit: BUNDLE_BYTES },
    ({ params: { name }, body }, reply) => {
      const changed = putSite(name, checkedSite(body))
      log('info', changed ? 'site changed' : 'site as before', { site: name, machines: body.machines.length })
      return reply.send({ changed })
    },
  )

  app.put<{ Params: { name: string }; Body: BundleFile[] }>(
    '/v1/machines/:name/bundle',
    { schema: { body: bundleBody }, bodyLimit: BUNDLE_BYTES },
    ({ params: { name }, body }, reply) => {
      if (catalog().machine({ name }) === undefined) {
        throw new NotFound('machine', name, 'Declare it in the site file first.')
      }
      try {
        tarOf(body, 0) // whoever puts it learns of a path that cannot be delivered, not the machine
      } catch (error) {
        throw new BadRequest(messageOf(error), { cause: error })
      }
      const changed = putBundle(name, body)
      log('info', changed ? 'bundle changed' : 'bundle as before', { machine: name, files: body.length })
      return reply.send({ changed })
    },
  )
  done()
}

/** Checks what a schema cannot say, and normalises MAC addresses. */
function checkedSite(objects: SiteObjects): SiteObjects {
  const machines = objects.machines.map(machine => ({
    ...machine,
    macs: machine.macs.map(text => {
      const mac = normaliseMac(text)
      if (mac === undefined) throw new BadRequest(`machine ${machine.name}: "${text}" is no MAC address.`)
      return mac
    }),
    ...(machine.uuid === undefined ? {} : { uuid: machine.uuid.toLowerCase() }),
  }))
  const groups = objects.groups.map(group => {
    if (group.selector === undefined) return group
    try {
      return { ...group, selector: readSelector(group.selector) }
    } catch (error) {
      throw new BadRequest(`group ${group.id}: ${messageOf(error)}`, { cause: error })
    }
  })
  refuseTwice(
    'machine',
    machines.map(({ name }) => name),
  )
  refuseTwice(
    'address',
    machines.map(({ address }) => address),
  )
  refuseTwice(
    'MAC',
    machines.flatMap(({ macs }) => macs),
  )
  refuseTwice(
    'group',
    groups.map(({ id }) => id),
  )
  refuseTwice(
    'profile',
    objects.profiles.map(({ id }) => id),
  )
  return { ...objects, machines, groups }
}

function refuseTwice(what: string, ids: readonly string[]): void {
  const twice = ids.find((id, at) => ids.indexOf(id) !== at)
  if (twice !== undefined) throw new BadRequest(`${what} "${twice}" is there twice. Keep one.`)
}
