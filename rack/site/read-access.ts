// The `ssh_keys` and `console` of a site file: how people reach its machines.

import { cleanLabel } from '#model/clean.ts'
import type { Path, YamlReader } from './document.ts'
import { choiceOf } from './read-fields.ts'
import type { AccessSettings } from './site.ts'
import { SITE_KEYS, SSH_KEYS } from './site-keys.ts'
import { parseSshKey } from './ssh-key.ts'

const LOGINS = ['off', 'autologin', 'password'] as const

/**
 * A hash of yescrypt or of SHA-512, as crypt(5) writes them. Others are broken in hours (MD5, DES) or are those of other systems.
 */
const HASH =
  /^(?:\$y\$[./A-Za-z0-9]+\$[./A-Za-z0-9]{1,86}\$[./A-Za-z0-9]{43}|\$6\$(?:rounds=[1-9][0-9]{3,8}\$)?[./A-Za-z0-9]{8,16}\$[./A-Za-z0-9]{86})$/

/** Reads `ssh_keys` and `console`; a file without them lets no one in. */
export function readAccess(reader: YamlReader): AccessSettings {
  return {
    sshKeys: reader.has(['ssh_keys']) ? readKeys(reader, ['ssh_keys']) : [],
    console: readConsole(reader),
  }
}

function readKeys(reader: YamlReader, path: Path): string[] {
  const usage = 'write it as a list:  ssh_keys: [ssh-ed25519 AAAA… name]'
  const count = reader.length(path, usage)
  if (reader.isList(path) && count === 0)
    reader.complain('PL-1004', path, 'is empty', `leave it out, or ${usage}`)
  const seen = new Map<string, number>()
  const lines = Array.from({ length: Math.min(count, SSH_KEYS.most) }, (_, index) => {
    const at = [...path, index]
    const text = reader.secretText(at, usage)
    if (text === undefined) return ''
    const key = parseSshKey(text)
    if ('what' in key) {
      reader.complain('PL-1004', at, key.what, key.remedy)
      return ''
    }
    const first = seen.get(key.blob)
    if (first !== undefined)
      reader.complain('PL-1007', at, `the same key as ssh_keys[${first}]`, 'keep one of them')
    seen.set(key.blob, index)
    return [key.type, key.blob, cleanLabel(key.comment)].filter(Boolean).join(' ')
  })
  const characters = lines.reduce((sum, { length }) => sum + length, 0)
  if (count > SSH_KEYS.most) {
    const remedy = `keep ${SSH_KEYS.most}: every machine gets all of them`
    reader.complain(
      'PL-1010',
      [...path, SSH_KEYS.most],
      `${count} keys, and at most ${SSH_KEYS.most} are taken`,
      remedy,
    )
  } else if (characters > SSH_KEYS.characters) {
    const what = `the keys have ${characters} characters together, and at most ${SSH_KEYS.characters} are taken`
    reader.complain('PL-1010', path, what, 'give shorter ones, such as ed25519')
  }
  return lines
}

function readConsole(reader: YamlReader): AccessSettings['console'] {
  const path: Path = ['console']
  const off = { login: 'off' } as const
  const remedy =
    'off: no one; autologin: anyone who reaches the console is root; password: root with a password'
  if (!reader.has(path)) return off
  if (!reader.expectKeys(path, Object.keys(SITE_KEYS.console.keys))) return off
  const hashAt = [...path, 'password_hash']
  const login = choiceOf(reader, [...path, 'login'], LOGINS, remedy)
  if (!reader.has([...path, 'login'])) {
    const hint = reader.has(hashAt) ? 'write  login: password  beside the hash' : remedy
    reader.complain('PL-1003', [...path, 'login'], 'missing', hint)
  }
  if (login !== 'password') {
    if (login !== undefined && reader.has(hashAt))
      reader.complain(
        'PL-1004',
        hashAt,
        `is not used with  login: ${login}`,
        'leave it out, or write  login: password',
      )
    return login === 'autologin' ? { login } : off
  }
  const make =
    "make one:  mkpasswd --method=yescrypt  (Debian's package whois), and write it in single quotes"
  const hash = reader.secretText(hashAt, make)
  if (hash === undefined) {
    if (!reader.has(hashAt)) reader.complain('PL-1003', hashAt, 'missing', make)
    return off
  }
  if (HASH.test(hash)) return { login, passwordHash: hash }
  const what = hash.startsWith('$')
    ? 'is not a whole hash of yescrypt ($y$…) or SHA-512 ($6$…)'
    : 'is not the hash of a password; a password itself has no place in this file'
  reader.complain('PL-1004', hashAt, what, make)
  return off
}
