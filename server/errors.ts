// The errors of the server, all that HTTP answers among them: a code for programs, a status for HTTP, and a message that says
// what, where, and how to fix it. Anything else thrown is our bug and answers 500.

import { whyNotOpened } from '#host/listeners.ts'
import { pathWord } from '#host/shell.ts'
import { PilotlightError } from '#model/error.ts'
import { cleanLabel, cleanLines, cleanText, LIMITS } from '#model/clean.ts'

/** What all of them have in common. A message may quote what a client sent, so it is cleaned; its own line ends stay. */
export abstract class ServerError extends PilotlightError {
  abstract readonly statusCode: number
  constructor(message: string, options?: ErrorOptions & { readonly remedy?: string }) {
    super(cleanLines(message, Infinity), options)
  }
}

/** A machine, site or boot that is not in the inventory. */
export class NotFound extends ServerError {
  readonly code = 'NOT_FOUND'
  readonly statusCode = 404
  constructor(what: string, id: string, remedy: string) {
    super(`There is no ${what} "${cleanLabel(id)}". ${remedy}`)
  }
}

/** A boot that a machine did not have, or whose events are no longer kept. */
export class UnknownBoot extends ServerError {
  readonly code = 'NOT_FOUND'
  readonly statusCode = 404
  constructor(machine: string, boot: string) {
    const name = cleanLabel(machine)
    super(`${name} has no boot "${cleanLabel(boot)}". 'pilotlight journal ${name} --boots' lists all.`)
  }
}

/** A call for assets of a server that has no directory of them. */
export class NoAssets extends ServerError {
  readonly code = 'NOT_FOUND'
  readonly statusCode = 404
  constructor() {
    super('This server was started without a directory of assets. Start it with --assets-path.')
  }
}

/** An operator acknowledges an alarm that is over. */
export class AlarmCleared extends ServerError {
  readonly code = 'ALARM_CLEARED'
  readonly statusCode = 409
  constructor(id: string) {
    super(
      `Alarm "${cleanLabel(id)}" is cleared: there is nothing to acknowledge. It begins anew when it is raised again.`,
    )
  }
}

/** A machine whose journal is still empty. */
export class NeverBooted extends ServerError {
  readonly code = 'NEVER_BOOTED'
  readonly statusCode = 404
  constructor(name: string) {
    super(
      `${name} has not booted yet. Switch it on in the provisioning network; its first packet begins its journal.`,
    )
  }
}

/** A path that is there, and a method that it does not take. */
export class MethodNotAllowed extends ServerError {
  readonly code = 'METHOD_NOT_ALLOWED'
  readonly statusCode = 405
  constructor(method: string, path: string, allowed: readonly string[]) {
    super(
      `${cleanText(path, LIMITS.requestTarget)} takes ${allowed.join(', ')}, and no ${method}. Ask with one of them.`,
    )
  }
}

/** An address whose reads took all the time that one may take. */
export class TooManyReads extends ServerError {
  readonly code = 'TOO_MANY_READS'
  readonly statusCode = 429
  constructor(address: string, seconds: number) {
    super(
      `Reads from ${address} used up their time. Ask again in ${seconds} s, or for less: with limit= and after= ` +
        'a list comes in pages, and /v1/events says what is new. A token of role admin is not limited.',
    )
  }
}

/** A request whose body or query is not what the route takes. */
export class BadRequest extends ServerError {
  readonly code = 'BAD_REQUEST'
  readonly statusCode = 400
}

/** The settings of the server itself are wrong. */
export class BadSettings extends ServerError {
  readonly code = 'BAD_SETTINGS'
  readonly statusCode = 500
}

/** A file of the server's own state that is not as the server wrote it. */
export class BrokenState extends ServerError {
  readonly code = 'BROKEN_STATE'
  readonly statusCode = 500
  constructor(path: string, what: string, remedy: string, options?: ErrorOptions) {
    super(`${path} ${what}. ${remedy}`, options)
  }
}

/** The store on disk was written by a newer Pilotlight. */
export class NewerStore extends ServerError {
  readonly code = 'NEWER_STORE'
  readonly statusCode = 500
  constructor(path: string, version: number, known: number) {
    super(`${path} has schema ${version}; this Pilotlight knows up to ${known}. Run the newer one.`, {
      remedy: 'git pull && npm ci   in the clone of Pilotlight',
    })
  }
}

/** The listeners of the server on TCP, as people call what they serve, with the flag for their ports. */
const LISTENERS = {
  boot: ['HTTP', (_: string, port: number) => `--http-port ${port}`],
  agent: ['HTTPS for the agents of machines', (_: string, port: number) => `--agent-port ${port}`],
  admin: [
    'HTTPS for administration',
    (address: string, port: number) => `--admin-address ${address}:${port}`,
  ],
  rpc: ['gRPC', (address: string, port: number) => `--rpc-address ${address}:${port}`],
} as const

/** A TCP port that cannot be had. */
export class CannotListen extends ServerError {
  readonly code = 'CANNOT_LISTEN'
  readonly statusCode = 500
  constructor(listener: keyof typeof LISTENERS, address: string, port: number, cause: NodeJS.ErrnoException) {
    const [what, flag] = LISTENERS[listener]
    const other = port < 1024 ? 8000 + port : port + 1
    const { why, remedy } = whyNotOpened(
      'tcp',
      address,
      port,
      cause,
      `pilotlight serve ${flag(address, other > 65_535 ? 0 : other)}`,
    )
    super(`Cannot serve ${what} on ${address}, TCP port ${port}: ${why}`, { cause, remedy })
  }
}

/** A change that the disk did not take; nothing of it is in effect. 507, because the same request succeeds once the disk takes writes. */
export class CannotWrite extends ServerError {
  readonly code = 'CANNOT_WRITE'
  readonly statusCode = 507
  /** For readers who may not know where the state is. */
  readonly reason: string
  constructor(path: string, why: keyof typeof DISK, options?: ErrorOptions) {
    const { says, remedy, reason, look } = DISK[why]
    super(`${path} ${says}: nothing was changed. ${remedy}`, { remedy: look(pathWord(path)), ...options })
    this.reason = reason
  }
}

const DISK = {
  full: {
    says: 'cannot be written, there is no space left on its disk',
    remedy: 'Free some space there; writes then succeed again by themselves.',
    reason: 'the disk of the state directory is full',
    look: (path: string) => `df -h ${path}`,
  },
  'read-only': {
    says: 'cannot be written, its file system is read-only',
    remedy: 'See why (dmesg), and mount it writable; writes then succeed again by themselves.',
    reason: 'the file system of the state directory is read-only',
    look: (path: string) => `findmnt --target ${path}`,
  },
  failing: {
    says: 'cannot be written, its disk gives errors',
    remedy: 'See whether the disk is full or damaged (df, dmesg).',
    reason: 'the disk of the state directory gives errors',
    look: () => 'dmesg --level err,warn',
  },
} as const
