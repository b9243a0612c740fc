// Every error that the server gives on purpose: a code for programs, a status for HTTP, and a message that tells
// what, where, and how to mend it. Anything else thrown is our bug and answers 500.

import type { Labels } from './inventory/objects.ts'

/** What all of them have in common. */
export abstract class ServerError extends Error {
  abstract readonly code: string
  abstract readonly statusCode: number
}

/** No group takes the machine: it is unknown here. */
export class NoMatchingGroup extends ServerError {
  readonly code = 'NO_MATCHING_GROUP'
  readonly statusCode = 404
  constructor(labels: Labels, tried: number) {
    const shown = Object.entries(labels).map(([key, value]) => `${key}=${value}`)
    super(
      `No group matches ${shown.join(' ') || 'a machine without labels'} (${tried} known). ` +
        'Declare the machine in the site file, or add a group with an empty selector as the default.',
    )
  }
}

/** A group names a profile which nobody has declared. */
export class UnknownProfile extends ServerError {
  readonly code = 'UNKNOWN_PROFILE'
  readonly statusCode = 404
  constructor(profile: string, group: string) {
    super(`Group ${group} wants profile "${profile}", which does not exist. Add profiles/${profile}.json.`)
  }
}

/** The profile has nothing of the kind that the machine asks for. */
export class NothingToServe extends ServerError {
  readonly code = 'NOTHING_TO_SERVE'
  readonly statusCode = 404
  constructor(profile: string, what: string, field: string) {
    super(`Profile ${profile} has no ${what}. Set its "${field}".`)
  }
}

/** A template, config or script is named but not there. */
export class UnknownTemplate extends ServerError {
  readonly code = 'UNKNOWN_TEMPLATE'
  readonly statusCode = 404
  constructor(name: string) {
    super(`There is no file ${name} in the data directory.`)
  }
}

/** A template that cannot be rendered; the reason names the line and what is missing. */
export class TemplateFailed extends ServerError {
  readonly code = 'TEMPLATE_FAILED'
  readonly statusCode = 500
  constructor(name: string, reason: string, options?: ErrorOptions) {
    super(`${name} cannot be rendered: ${reason}`, options)
  }
}

/**
 * A config that no machine could use. 503, because Ignition asks again then: the boot goes on once the file is mended.
 */
export class InvalidIgnition extends ServerError {
  readonly code = 'INVALID_IGNITION'
  readonly statusCode = 503
  constructor(name: string, reason: string) {
    super(`${name} is not an Ignition config that a machine can use: ${reason}`)
  }
}

/** A Go template of the data directory that cannot be rendered. Matchbox answers 404, and clients rely on it. */
export class GoTemplateFailed extends ServerError {
  readonly code = 'GO_TEMPLATE_FAILED'
  readonly statusCode = 404
  constructor(name: string, reason: string, options?: ErrorOptions) {
    super(`${name} cannot be rendered: ${reason}`, options)
  }
}

/** A cloud config that coreos-cloudinit would not read; 404 as in Matchbox. */
export class InvalidCloudConfig extends ServerError {
  readonly code = 'INVALID_CLOUD_CONFIG'
  readonly statusCode = 404
  constructor(name: string, reason: string) {
    super(`${name} renders to something that is no cloud config: ${reason}`)
  }
}

/** A Butane file that gives no Ignition config. Matchbox answers 404, and clients rely on it. */
export class InvalidButane extends ServerError {
  readonly code = 'INVALID_BUTANE'
  readonly statusCode = 404
  constructor(name: string, reason: string) {
    super(`${name} is not a Butane config that a machine can use: ${reason}`)
  }
}

/** A machine, site or boot that is not in the inventory. */
export class NotFound extends ServerError {
  readonly code = 'NOT_FOUND'
  readonly statusCode = 404
  constructor(what: string, id: string, mend: string) {
    super(`There is no ${what} "${id}". ${mend}`)
  }
}

/** A request whose body or query is not what the route takes. */
export class BadRequest extends ServerError {
  readonly code = 'BAD_REQUEST'
  readonly statusCode = 400
}

/** Two sites claim the same thing. */
export class SiteConflict extends ServerError {
  readonly code = 'SITE_CONFLICT'
  readonly statusCode = 409
  constructor(what: string, id: string, site: string, other: string) {
    super(`${what} "${id}" of site ${site} belongs to site ${other} already. Rename one, or remove it there.`)
  }
}

/** An agent call without a token that we know. */
export class UnknownToken extends ServerError {
  readonly code = 'UNKNOWN_TOKEN'
  readonly statusCode = 401
  constructor() {
    super('This token is not known. A machine gets one with its Ignition config: boot it again.')
  }
}

/** A token whose time is over, or that belongs to an earlier boot. */
export class TokenExpired extends ServerError {
  readonly code = 'TOKEN_EXPIRED'
  readonly statusCode = 403
  constructor(machine: string, why: string) {
    super(`The token of ${machine} ${why}. A machine gets a new one with its Ignition config: boot it again.`)
  }
}

/** The bundle was fetched with this token before. */
export class TokenReplayed extends ServerError {
  readonly code = 'TOKEN_REPLAYED'
  readonly statusCode = 409
  constructor(machine: string) {
    super(
      `The bundle of ${machine} was fetched with this token before. If that was not the machine itself, ` +
        'somebody else has its secrets: renew them, and boot the machine again.',
    )
  }
}

/** Nobody has put a bundle for the machine yet. */
export class NoBundle extends ServerError {
  readonly code = 'NO_BUNDLE'
  readonly statusCode = 503
  constructor(machine: string) {
    super(`There is no bundle for ${machine} yet. 'pilotlight up' puts it; ask again.`)
  }
}

/** The settings of the server itself are wrong. */
export class BadSettings extends ServerError {
  readonly code = 'BAD_SETTINGS'
  readonly statusCode = 500
}

/** The store on disk was written by a newer Pilotlight. */
export class NewerStore extends ServerError {
  readonly code = 'NEWER_STORE'
  readonly statusCode = 500
  constructor(path: string, version: number, known: number) {
    super(`${path} has schema ${version}; this Pilotlight knows up to ${known}. Run the newer one.`)
  }
}

/** A TCP port that cannot be had. */
export class CannotListen extends ServerError {
  readonly code = 'CANNOT_LISTEN'
  readonly statusCode = 500
  constructor(address: string, port: number, cause: NodeJS.ErrnoException) {
    super(`Cannot serve HTTP on ${address}, TCP port ${port}: ${listenAdvice(cause)}`, { cause })
  }
}

function listenAdvice({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'EADDRINUSE') return 'somebody else has it. Stop that one, or choose another port.'
  if (code === 'EACCES') return 'the port is privileged. Run as root, or choose one above 1023.'
  if (code === 'EADDRNOTAVAIL') return 'no interface of this host has the address.'
  return `${message}.`
}
