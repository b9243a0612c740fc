// What `plan` says of disks: where each machine keeps what it holds, and what a power cut would take.

import { someOf } from '#model/clean.ts'
import { USUAL_DISK, type DiskChoice, type DiskMatch, type MachineDisk } from '#model/disk.ts'
import type { Machine } from '#model/machine.ts'
import { machinesWith } from '../site/duties.ts'
import type { Site } from '../site/site.ts'

/** One sentence for all machines of a role with the same choice, in the order of the file. */
export function diskSentences(site: Site): string[] {
  const guests = new Set(machinesWith(site, 'compute').map(({ name }) => name))
  const groups = new Map<string, Machine[]>()
  for (const machine of site.machines) {
    const key = `${machine.role} ${guests.has(machine.name)} ${JSON.stringify(machine.disk ?? USUAL_DISK)}`
    groups.set(key, [...(groups.get(key) ?? []), machine])
  }
  return [...groups.values()].map(machines => {
    const each = machines.length === 1 ? '' : 'each '
    const [{ role, name, disk = USUAL_DISK }] = machines as [Machine, ...Machine[]] // a group has one at least
    const lost = [...(role === 'controller' ? [CONTROLLER] : []), ...(guests.has(name) ? [GUESTS] : [])]
    const here = machines.length === 1 ? 'this machine' : 'these machines'
    const cut = `a power cut loses ${lost.join(', and ')} on ${here}`
    return `${namesOf(machines)} (${role}): ${disk === 'none' ? '' : each}${sentenceOf(disk, cut)}`
  })
}

const CONTROLLER = "etcd and every secret, and the cloud's databases, images and volumes"
const GUESTS = 'every guest disk'
/** Names that are listed; a rack has thousands of machines. */
const MOST_NAMES = 8

function namesOf(machines: readonly Machine[]): string {
  return someOf(
    machines.map(({ name }) => name),
    MOST_NAMES,
  )
}

function sentenceOf(disk: MachineDisk, cut: string): string {
  if (disk === 'none') return `RAM, since its disk is none: ${cut}`
  const without = disk.explicit
    ? `without ${disk.mirror ? 'both' : 'it'} the boot stops and says why`
    : `without one it runs from RAM, and ${cut}`
  return `installed to ${chosen(disk)}; ${without}`
}

/** How what it keeps is encrypted. */
const ENCRYPTED = {
  no: '',
  tpm: ', encrypted with a key in its TPM',
  server: ', encrypted with a key of the server, without which it does not start',
  auto: ', encrypted with a key in its TPM, or of the server where it has none',
} as const

function chosen({ match, mirror, encrypt, overwrite }: DiskChoice): string {
  const conditions = conditionsOf(match)
  const whose = conditions.length === 0 ? '' : ` with ${conditions.join(' and ')}`
  const isNamed = match.byId !== undefined || match.serial !== undefined
  const which = isNamed ? 'the disk' : mirror ? 'its two smallest disks' : 'its smallest disk'
  const how = `${mirror ? ', mirrored' : ''}${ENCRYPTED[encrypt]}`
  if (!overwrite) {
    const empty = isNamed ? ', if it holds nothing' : ` that ${mirror ? 'hold' : 'holds'} nothing`
    return `${which}${whose}${empty}${how}`
  }
  // The order of choose.jq: an empty disk goes before one that holds something, also where that may be overwritten.
  const first = isNamed ? '' : mirror ? ' empty ones first, else' : ' an empty one first, else'
  return `${which}${whose}${how},${first} whatever ${mirror ? 'they hold' : 'it holds'}: that is overwritten`
}

function conditionsOf({ byId, serial, model, type, minSize }: DiskMatch): string[] {
  return [
    ...(byId === undefined ? [] : [`the id ${byId}`]),
    ...(serial === undefined ? [] : [`the serial number ${serial}`]),
    ...(model === undefined ? [] : [`the model ${model}`]),
    ...(type === undefined ? [] : [`the type ${type}`]),
    ...(minSize === undefined ? [] : [`at least ${Math.floor(minSize / 1e9)} GB`]),
  ]
}
