// What `plan` says of people on machines: who gets in, and where. Nothing where no one does.

import { createHash } from 'node:crypto'
import type { Site } from '../site/site.ts'

/** Sentences for a person. A key is named by its comment and its fingerprint, as `ssh-keygen -l` shows it. */
export function accessSentences({ access: { sshKeys, console: atConsole } }: Site): string[] {
  return [
    ...sshKeys.map(line => `root on every machine, by ssh with the key ${keyName(line)}`),
    ...(atConsole.login === 'autologin'
      ? [
          'root on every machine: anyone who reaches its screen, its serial port or its BMC, without being asked',
        ]
      : []),
    ...(atConsole.login === 'password'
      ? ['root on every machine that has its bundle, at its console with the password of password_hash']
      : []),
  ]
}

function keyName(line: string): string {
  const [, blob = '', ...comment] = line.split(' ')
  const digest = createHash('sha256').update(Buffer.from(blob, 'base64')).digest('base64').replace(/=+$/, '')
  return [...comment, `SHA256:${digest}`].join(' ')
}
