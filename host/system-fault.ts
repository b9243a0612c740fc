// What the operating system refused, with a command that shows the cause or repairs it.

import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { reasonOf } from '#model/reason.ts'
import { pathWord } from './shell.ts'

/** A refusal of the operating system for a person: why, as a clause without a full stop, and what to do. */
export type SystemFault = { readonly why: string; readonly fix: string }

/**
 * Reads an error of `node:fs`, or of another call to the operating system. Where a directory above the path is what is missing,
 * that one is named.
 *
 * @param path of what was worked on, where the error names none
 */
export function systemFault(error: Error, path?: string): SystemFault {
  const { code = '', path: own = path } = error as NodeJS.ErrnoException // of node:fs
  const why = reasonOf(error)
  if (own === undefined)
    return { why, fix: WITHOUT_PATH[code] ?? 'change what the message names, and run it again' }
  const folder = dirname(resolve(own))
  if (code === 'ENOENT' && !existsSync(folder))
    return { why: `the directory ${folder} is not there`, fix: `mkdir -p ${pathWord(folder)}` }
  const shown = existsSync(own) ? own : folder
  return { why, fix: (WITH_PATH[code] ?? LOOK)(pathWord(shown)) }
}

const LOOK = (path: string) => `ls -ld ${path}`

/** The command for a path that is there. */
const WITH_PATH: Readonly<Record<string, (path: string) => string>> = {
  ENOENT: path => `ls ${path}`,
  EROFS: path => `findmnt --target ${path}`,
  ENOSPC: path => `df -h ${path}`,
  EDQUOT: path => `df -h ${path}`,
  EBUSY: path => `fuser --verbose ${path}`,
  ETXTBSY: path => `fuser --verbose ${path}`,
  EIO: () => 'dmesg --level err,warn',
}

const WITHOUT_PATH: Readonly<Record<string, string>> = {
  ENOSPC: 'df -h',
  EDQUOT: 'df -h',
  EROFS: 'findmnt --options ro',
  EIO: 'dmesg --level err,warn',
  EMFILE: 'ulimit -n 4096',
  ENFILE: 'sysctl fs.file-max fs.file-nr',
  ENOMEM: 'free -h',
}
