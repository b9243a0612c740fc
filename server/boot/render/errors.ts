// Errors of rendering: what a machine asks for is missing or cannot be rendered.

import { ServerError } from '../../errors.ts'

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

/**
 * One of our templates that cannot be rendered; the reason names the line and what is missing. 503, because iPXE and
 * Ignition ask again then: the boot goes on once the template is fixed.
 */
export class TemplateFailed extends ServerError {
  readonly code = 'TEMPLATE_FAILED'
  readonly statusCode = 503
  constructor(name: string, reason: string, options?: ErrorOptions) {
    super(`${name} cannot be rendered: ${reason}`, options)
  }
}

/**
 * A config that no machine could use. 503, because Ignition asks again then: the boot goes on once the file is fixed.
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
    super(`${name} renders to something that is not a cloud config: ${reason}`)
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
