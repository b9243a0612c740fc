// Errors of the store: objects that are not there, not valid, or not the writer's to change.

import type { Fault } from '#model/fault.ts'
import { cleanLabel } from '#model/clean.ts'
import { ServerError } from '../errors.ts'

/** Two sites, or a site and another client, claim the same thing. */
export class SiteConflict extends ServerError {
  readonly code = 'SITE_CONFLICT'
  readonly statusCode = 409
  /** `site` wants what `other` has; undefined is what belongs to no site. */
  constructor(what: string, id: string, site: string | undefined, other: string | undefined) {
    const wanting = site === undefined ? '' : ` of site ${site}`
    const owner = other === undefined ? 'an object put by hand' : `site ${other}`
    super(
      `${what} "${cleanLabel(id)}"${wanting} belongs to ${owner} already. Rename one, or remove it there.`,
    )
  }
}

/** A change of what a site file declares, past that file. */
export class OwnedBySite extends ServerError {
  readonly code = 'OWNED_BY_SITE'
  readonly statusCode = 409
  constructor(kind: string, id: string, site: string) {
    super(
      `${kind} "${cleanLabel(id)}" belongs to site ${site}, and the next 'pilotlight up' would undo the change. ` +
        'Change the site file and run it.',
    )
  }
}

/** The object is not in the state that the writer had read. */
export class PreconditionFailed extends ServerError {
  readonly code = 'PRECONDITION_FAILED'
  readonly statusCode = 412
  /** @param wantsNone the writer wanted it not to be there */
  constructor(kind: string, id: string, version: string | number | undefined, wantsNone = false) {
    super(
      version === undefined
        ? `${kind} "${cleanLabel(id)}" is not there (any more). Read the list again.`
        : wantsNone
          ? `${kind} "${cleanLabel(id)}" is there already, at version ${version}; If-None-Match: * only creates. Send If-Match to change it.`
          : `${kind} "${cleanLabel(id)}" is at version ${version}: someone wrote it since it was read. Read it, and change that.`,
    )
  }
}

/** A write without a precondition, where one is asked for. */
export class PreconditionRequired extends ServerError {
  readonly code = 'PRECONDITION_REQUIRED'
  readonly statusCode = 428
  constructor(what: string) {
    super(`${what} Send If-Match with the ETag that was read, so that no other change is lost.`)
  }
}

/** A deletion of what is not in the store. */
export class NotStored extends ServerError {
  readonly code = 'NOT_FOUND'
  readonly statusCode = 404
  constructor(kind: string, id: string) {
    const list = kind === 'asset' ? 'pilotlight assets list' : `pilotlight get ${kind}s`
    super(`There is no ${kind} "${cleanLabel(id)}". '${list}' lists all.`)
  }
}

/** A revision that an object never had, or that is no longer kept. */
export class UnknownRevision extends ServerError {
  readonly code = 'UNKNOWN_REVISION'
  readonly statusCode = 404
  constructor(kind: string, id: string, revision: number) {
    super(
      `${kind} "${cleanLabel(id)}" has no revision ${revision}. 'pilotlight history ${kind} ${cleanLabel(id)}' lists those it has.`,
    )
  }
}

/** A deletion of a file of the data directory, which is only read. */
export class ReadOnlyObject extends ServerError {
  readonly code = 'READ_ONLY_OBJECT'
  readonly statusCode = 409
  constructor(kind: string, id: string, file: string) {
    super(
      `${kind} "${cleanLabel(id)}" is the file ${file} of the data directory, which is only read. Remove the file.`,
    )
  }
}

/** Objects that cannot be kept because no machine could use them. */
export class InvalidObject extends ServerError {
  readonly code = 'INVALID_OBJECT'
  readonly statusCode = 400
  readonly faults: readonly Fault[]
  constructor(faults: readonly Fault[]) {
    const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : ''
    super(`${faults[0]?.detail ?? 'It cannot be used'}${more}`)
    this.faults = faults
  }
}
