// `pilotlight explain`: why a machine gets what it gets.

import { InvalidArgumentError, Option, type Command } from 'commander'
import type { Machine } from '#model/machine.ts'
import { normaliseMac } from '#model/mac.ts'
import { isUuid } from '#model/uuid.ts'
import { serverOption } from '../options.ts'
import { printJson, show } from '../terminal/show.ts'

type ExplainFlags = {
  readonly server: string
  readonly mac?: string
  readonly uuid?: string
  readonly serial?: string
  readonly label: readonly string[]
  readonly all?: boolean
  readonly json?: boolean
}

export function defineExplain(command: Command): void {
  command
    .argument('[machine]', 'its name, MAC or UUID, in place of the flags')
    .addOption(new Option('--mac <address>', 'hardware address, in any spelling').argParser(macIn))
    .addOption(new Option('--uuid <uuid>', 'UUID, in either case and order of bytes').argParser(uuidIn))
    .option('--serial <number>', 'serial number')
    .addOption(
      new Option('--label <key=value...>', 'anything else that the machine shows')
        .default([])
        .argParser(collect),
    )
    .addOption(serverOption())
    .option('--all', 'list all groups that do not take it, and not only those that miss least')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
Nothing is recorded, and no token is given: it is safe to ask for any machine.

Examples:
  pilotlight explain ctl-1
  pilotlight explain --mac 52-54-00-20-00-01
  pilotlight explain --mac 525400200001 --label os=installed
  pilotlight explain --uuid 4C4C4544-0000-2010-8020-B4C04F303232 --json | jq .winner`,
    )
    .action(
      async (machine: string | undefined, { server, json, all = false, label, ...rest }: ExplainFlags) => {
        const { ServerClient } = await import('#client/server.ts')
        const query = new URLSearchParams()
        if (machine !== undefined) for (const pair of await identityOf(machine, server)) query.set(...pair)
        for (const key of ['mac', 'uuid', 'serial'] as const)
          if (rest[key] !== undefined) query.set(key, rest[key])
        for (const pair of label) query.set(...pairOf(pair))
        if (all) query.set('all', 'true')
        const path = `/v1/explain?${query.toString()}`
        const client = new ServerClient(server)
        const accept = json ? 'application/json' : 'text/plain'
        const text = await (await client.request('GET', path, { accept })).text()
        if (json) printJson(JSON.parse(text) as object)
        else show(text)
      },
    )
}

/** What a machine that is called by its name, MAC or UUID shows of itself when it boots. */
async function identityOf(machine: string, server: string): Promise<[key: string, value: string][]> {
  const mac = normaliseMac(machine)
  if (mac !== undefined) return [['mac', mac]]
  if (isUuid(machine)) return [['uuid', machine]]
  const { ServerClient } = await import('#client/server.ts')
  const { macs, uuid, labels } = (await new ServerClient(server).get(
    `/machines/${encodeURIComponent(machine)}`,
  )) as Partial<Machine> // as the server declares its machines
  const [first] = macs ?? []
  const known = { ...labels, mac: first, uuid }
  return Object.entries(known).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]]))
}

/** A boot request with a MAC that is none counts as one without; who asks by hand has mistyped it. */
function macIn(text: string): string {
  if (normaliseMac(text) !== undefined) return text
  throw new InvalidArgumentError(
    'it is not a hardware address; give 12 hex digits, for example 52:54:00:20:00:01.',
  )
}

function uuidIn(text: string): string {
  if (isUuid(text)) return text
  throw new InvalidArgumentError('it is not a UUID; give one such as 4c4c4544-0000-2010-8020-b4c04f303232.')
}

function collect(pair: string, before: readonly string[]): string[] {
  if (pair.indexOf('=') > 0) return [...before, pair]
  throw new InvalidArgumentError('it is not a label; give key=value, for example os=installed.')
}

function pairOf(pair: string): [key: string, value: string] {
  const at = pair.indexOf('=')
  return [pair.slice(0, at), pair.slice(at + 1)]
}
