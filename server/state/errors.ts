// The errors of the server's state directory and its backups.

import { pathWord } from '#host/shell.ts'
import { ServerError } from '../errors.ts'

/** A file that cannot be made as a backup, or is not one. */
export class BadBackup extends ServerError {
  readonly code = 'BAD_BACKUP'
  readonly statusCode = 400
  constructor(file: string, what: string, options: ErrorOptions & { readonly remedy?: string } = {}) {
    const look = `name a file that pilotlight backup made, and its key; to see what it is:  age --decrypt ${pathWord(file)} | tar --list`
    super(`${file} ${what}.`, { remedy: look, ...options })
  }
}

/** A directory without a store, of which there is nothing to back up. */
export class NothingToBackUp extends ServerError {
  readonly code = 'NOTHING_TO_BACK_UP'
  readonly statusCode = 404
  constructor(path: string) {
    super(`${path} holds no store.`, {
      remedy: 'name the directory that serve gets as its --state-path:  --state-path /var/lib/pilotlight',
    })
  }
}

/** A directory that a restore would mix with what is in it. */
export class StateNotEmpty extends ServerError {
  readonly code = 'STATE_NOT_EMPTY'
  readonly statusCode = 409
  constructor(path: string, names: readonly string[]) {
    const shown = names.slice(0, 5).join(', ')
    super(`${path} is not empty: it holds ${shown}${names.length > 5 ? ', …' : ''}.`, {
      remedy: `name another directory, or move this one:  mv ${pathWord(path)} ${pathWord(`${path.replace(/\/+$/, '')}.old`)}`,
    })
  }
}

/** A state directory that another server works in. */
export class StateInUse extends ServerError {
  readonly code = 'STATE_IN_USE'
  readonly statusCode = 409
  constructor(path: string, holder: number | undefined) {
    const who = holder === undefined ? 'another server' : `the server with the process id ${holder}`
    const stop =
      holder === undefined
        ? 'systemctl stop pilotlight'
        : `kill ${holder}   or, of a service:  systemctl stop pilotlight`
    super(`state-path ${path} is in use by ${who}. Stop that one, or give this one its own state-path.`, {
      remedy: stop,
    })
  }
}
