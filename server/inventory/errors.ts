// Errors of the inventory: a machine without a group or profile, and addresses that a site may not have.

import type { Labels } from '#model/selector.ts'
import { cleanLabel, labelsText } from '#model/clean.ts'
import { ServerError } from '../errors.ts'

/** A site gives a machine, its pool or one of its other networks an address that the host of the server has. */
export class ServerAddressTaken extends ServerError {
  readonly code = 'SERVER_ADDRESS_TAKEN'
  readonly statusCode = 409
  /** The server's addresses in the site's subnet, where the one in question was chosen and may be chosen anew. */
  readonly avoid: readonly string[]
  constructor(what: string, remedy: string, avoid: readonly string[] = []) {
    super(`${what}, which is an address of this server. ${remedy}.`)
    this.avoid = avoid
  }
}

/** Two sites have networks that share addresses. */
export class SitesOverlap extends ServerError {
  readonly code = 'SITE_CONFLICT'
  readonly statusCode = 409
  constructor(site: string, subnet: string, other: string, theirs: string) {
    super(
      `Subnet ${subnet} of site ${cleanLabel(site)} overlaps ${theirs} of site ${cleanLabel(other)}: DHCP cannot distinguish their machines. ` +
        'Give one of them another subnet.',
    )
  }
}

/** No group takes the machine: it is unknown here. */
export class NoMatchingGroup extends ServerError {
  readonly code = 'NO_MATCHING_GROUP'
  readonly statusCode = 404
  constructor(labels: Labels, tried: number) {
    super(
      `No group matches ${labelsText(labels) || 'a machine without labels'} (${tried} known). ` +
        'Declare the machine in the site file, or add a group with an empty selector as the default.',
    )
  }
}

/** A group names a profile that does not exist. */
export class UnknownProfile extends ServerError {
  readonly code = 'UNKNOWN_PROFILE'
  readonly statusCode = 404
  constructor(profile: string, group: string) {
    super(`Group ${group} wants profile "${profile}", which does not exist. Add profiles/${profile}.json.`)
  }
}
