// The server's host, and what the server itself has open: its disks, its clock, its data directory, its alarms.

import { statfs } from 'node:fs/promises'
import { pathWord } from '#host/shell.ts'
import { ALARMS } from '#model/alarm.ts'
import { blocking, failed, ok, warning, type Facts, type Found } from './facts.ts'

/** Bytes below which a disk is a warning, and below which it failed. */
const LITTLE = 2 * 2 ** 30
const TOO_LITTLE = 100 * 2 ** 20

/** The space of the disks that the server writes to. */
export async function disk({ needs, place: { assetsPath } }: Facts): Promise<Found | Found[]> {
  const { statePath } = needs
  const trouble = needs.trouble()
  if (trouble !== undefined) return blocking(trouble, `df ${pathWord(statePath)}`)
  const paths = [statePath, ...(assetsPath === undefined ? [] : [assetsPath])]
  const free = await Promise.all(paths.map(async path => ({ path, ...(await freeAt(path)) })))
  const low = free.filter(({ bytes, files }) => bytes < LITTLE || files < 1000)
  if (low.length === 0)
    return ok(free.map(({ path, bytes }) => `${gibibytes(bytes)} free at ${path}`).join(', '))
  return low.map(({ path, bytes, files }) => {
    const word = pathWord(path)
    const isFull = bytes < TOO_LITTLE || files < 100
    return (isFull ? failed : warning)(
      `${gibibytes(bytes)} and ${files} files are free at ${path}`,
      `df --human-readable ${word}; df --inodes ${word}`,
    )
  })
}

async function freeAt(path: string): Promise<{ bytes: number; files: number }> {
  const { bavail, bsize, files, ffree } = await statfs(path)
  return { bytes: bavail * bsize, files: files === 0 ? Infinity : ffree } // btrfs counts no files
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`
}

/** Earlier than this no host that runs this program can be. */
const FIRST_DAY = Date.UTC(2026, 0, 1)

/** The clock, by which certificates are signed. */
export async function clock({ needs }: Facts): Promise<Found> {
  const now = needs.now()
  const fix = 'timedatectl; timedatectl set-ntp true'
  const text = `the clock of this host says ${new Date(now).toISOString()}`
  if (now < FIRST_DAY) return blocking(`${text}: certificates would be good from the wrong day on`, fix)
  const newest = await needs.newestEvent()
  if (newest !== undefined && newest > now + 60_000) {
    const written = new Date(newest).toISOString()
    return failed(`${text}, which is before what this server wrote down already (${written})`, fix)
  }
  return ok(text)
}

/** What lint finds in the data directory. */
export async function data({ needs }: Facts): Promise<Found> {
  const { findings, more } = await needs.lint()
  const errors = findings.filter(({ severity }) => severity === 'error')
  const warnings = findings.length - errors.length + more
  const fix = `pilotlight lint ${pathWord(needs.dataPath)}`
  const [first] = errors
  if (first !== undefined) {
    const example = `${first.file}: ${first.what}`
    return failed(`${counted(errors.length, 'error')} in ${needs.dataPath}, for example ${example}`, fix)
  }
  if (warnings > 0) return warning(`${counted(warnings, 'warning')} in ${needs.dataPath}`, fix)
  return ok(`lint finds nothing in ${needs.dataPath}`)
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

/** The alarms that are open. */
export async function alarms({ needs }: Facts): Promise<Found> {
  const open = needs.openAlarms()
  const [first] = open
  if (first === undefined) return ok('none is open')
  const more = open.length === 1 ? '' : ` (and ${open.length - 1} more)`
  return warning(
    `${first.code}, ${ALARMS[first.code].title}: ${first.reason}${more}`,
    'pilotlight get alarms',
  )
}
