// `pilotlight backup` and `pilotlight restore`: a server's state in one encrypted file, and back.

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Option, type Command } from 'commander'
import { SETTINGS } from '#server/config.ts'
import { messageOf } from '#progress/wait.ts'
import { Failure } from '#model/error.ts'
import { print, printJson } from '../terminal/show.ts'
import { versionInfo } from '../about/version.ts'
import { ROOT } from '../root.ts'

const PASSPHRASE = 'PILOTLIGHT_BACKUP_PASSPHRASE'

type BackupFlags = {
  readonly statePath: string
  readonly passphraseFile?: string
  readonly recipient: readonly string[]
  readonly json?: boolean
}
type RestoreFlags = {
  readonly statePath: string
  readonly passphraseFile?: string
  readonly identityFile?: string
  readonly json?: boolean
}

export function defineBackup(command: Command): void {
  command
    .argument('<file>', 'the file to make; it must not be there')
    .addOption(stateOption())
    .option('--passphrase-file <file>', `its first line seals the backup (or ${PASSPHRASE})`)
    .option('--json', 'as JSON')
    .option('--recipient <age1…>', 'an age recipient that may open it; may be given again', collect, [])
    .addHelpText(
      'after',
      `
In it: objects with their history, sites with their sealed authorities, leases, boots and their events, access tokens,
machine keys, the server's own authority and the key of its store. Not in it: assets, and the state of 'pilotlight up'.
Anyone who opens it has all of that: keep the passphrase, or the identity, elsewhere. The file is in age's format.

Examples:
  pilotlight backup /srv/backup/pilotlight-monday --state-path /var/lib/pilotlight --recipient age1…
  pilotlight backup copy --passphrase-file /root/passphrase`,
    )
    .action(async (file: string, { statePath, passphraseFile, recipient, json }: BackupFlags) => {
      if (recipient.length > 0 && passphraseFile !== undefined) {
        throw new Failure('BAD_OPTION', 'age seals to a passphrase or to recipients', 'give one of them')
      }
      const seal =
        recipient.length > 0
          ? { recipients: recipient }
          : { passphrase: passphraseOf(passphraseFile, '--recipient') }
      const { makeBackup } = await import('#server/state/backup.ts')
      const { version } = versionInfo(ROOT)
      const { files } = await makeBackup(resolve(statePath), resolve(file), {
        seal,
        version,
        now: Date.now(),
      })
      const bytes = files.reduce((sum, one) => sum + one.bytes, 0)
      if (json) return printJson({ file: resolve(file), bytes, files })
      print(
        `${file} holds ${files.length} files, ${(bytes / 1e6).toFixed(1)} MB: ${files.map(({ name }) => name).join(', ')}`,
      )
    })
}

export function defineRestore(command: Command): void {
  command
    .argument('<file>', 'what `pilotlight backup` made')
    .addOption(stateOption())
    .option('--passphrase-file <file>', `its first line opens the backup (or ${PASSPHRASE})`)
    .option('--json', 'as JSON')
    .option('--identity-file <file>', 'age identities (AGE-SECRET-KEY-1…), one of which opens it')
    .addHelpText(
      'after',
      `
What was changed after the backup is gone: access tokens that were revoked since are good again, see 'pilotlight tokens list'.
A restore that was cut off is begun again by the same command; no server starts on a half one.

Examples:
  pilotlight restore /srv/backup/pilotlight-monday --state-path /var/lib/pilotlight --identity-file /root/key
  pilotlight restore copy --passphrase-file /root/passphrase`,
    )
    .action(async (file: string, { statePath, passphraseFile, identityFile, json }: RestoreFlags) => {
      const key =
        identityFile === undefined
          ? { passphrase: passphraseOf(passphraseFile, '--identity-file') }
          : { identities: linesOf(identityFile).filter(line => line.startsWith('AGE-SECRET-KEY-')) }
      const { restoreBackup } = await import('#server/state/backup.ts')
      const { made, files } = await restoreBackup(resolve(file), resolve(statePath), key)
      if (json) return printJson({ statePath: resolve(statePath), made, files })
      print(
        `${statePath} is as of ${made}: ${files.length} files. Start the server, and look at 'pilotlight tokens list'.`,
      )
    })
}

function stateOption(): Option {
  return new Option('--state-path <dir>', 'what `serve` gets as its --state-path')
    .env('PILOTLIGHT_STATE_PATH')
    .default(SETTINGS.statePath)
}

function collect(one: string, others: readonly string[]): string[] {
  return [...others, one]
}

/** @param otherwise the flag that makes it unnecessary */
function passphraseOf(file: string | undefined, otherwise: string): string {
  const passphrase = file === undefined ? process.env[PASSPHRASE] : linesOf(file)[0]
  if (passphrase !== undefined && passphrase !== '') return passphrase
  const what =
    file === undefined
      ? 'a backup is encrypted, and no key was given'
      : `${file} has no passphrase in its first line`
  throw new Failure('BAD_OPTION', what, `give --passphrase-file, ${otherwise}, or ${PASSPHRASE}`)
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split(/\r?\n/)
  } catch (error) {
    throw new Failure(
      'BAD_OPTION',
      `${file} cannot be read: ${messageOf(error)}`,
      'name a file that you may read',
    )
  }
}
