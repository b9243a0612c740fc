// The errors of who may ask what of the API.

import { cleanLabel } from '#model/clean.ts'
import { ServerError } from '../errors.ts'

/** A call that needs credentials, and has none. */
export class NotAuthenticated extends ServerError {
  readonly code = 'NOT_AUTHENTICATED'
  readonly statusCode = 401
  constructor(why: string) {
    super(
      `${why} Send "Authorization: Bearer TOKEN"; the command line takes it from PILOTLIGHT_TOKEN. ` +
        "The first token is in admin.token, in the server's state directory.",
    )
  }
}

/** A request for a host name that is not ours, as a browser sends for a page whose name was pointed here (DNS rebinding). */
export class ForeignHost extends ServerError {
  readonly code = 'FOREIGN_HOST'
  readonly statusCode = 421
  /** @param host as the request names it; undefined when it names none, or two */
  constructor(host: string | undefined) {
    const named =
      host === undefined ? 'The request does not name one host.' : `This is not "${cleanLabel(host)}".`
    const name = host !== undefined && /^[\w.:-]{1,253}$/.test(host) ? host : 'NAME' // a word of a command line
    super(
      `${named} Ask for this server by its address, by localhost or by the name of its machine; ` +
        `for any other name start it with --host-name ${name}.`,
    )
  }
}

/** A call by a known client that may not do it. */
export class NotAllowed extends ServerError {
  readonly code = 'NOT_ALLOWED'
  readonly statusCode = 403
  constructor(name: string, role: string, wanted: string) {
    super(
      `"${name}" has the role ${role}; this takes ${wanted}. Ask with a token or certificate of that role.`,
    )
  }
}

/** A token is to be made under a name that another one has. */
export class TokenInTheWay extends ServerError {
  readonly code = 'TOKEN_IN_THE_WAY'
  readonly statusCode = 409
  constructor(name: string) {
    super(
      `There is a token "${name}" already. Choose another name, or end that one:  pilotlight tokens revoke ${name}`,
    )
  }
}

/** Keys of a site, or a bundle, that were sent over plain HTTP from another host. */
export class SecretInClear extends ServerError {
  readonly code = 'SECRET_IN_CLEAR'
  readonly statusCode = 403
  constructor(address: string) {
    super(
      `Authorities, bundles and recovery keys do not go over plain HTTP to or from another host (${address}): other hosts can read them on their way. ` +
        "Use HTTPS (serve --admin-address), or run 'pilotlight up' on the server's host. Nothing was kept or shown. " +
        'If keys were sent, they may have been read, and so may the token: make new ones.',
    )
  }
}
