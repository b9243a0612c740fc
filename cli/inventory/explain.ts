// `pilotlight explain`: why a machine gets what it gets.

import { InvalidArgumentError, Option, type Command } from 'commander'
import { normaliseMac } from '#model/mac.ts'
import { serverOption } from '../options.ts'
import { show } from '../terminal/show.ts'

type ExplainFlags = {
  readonly server: string
  readonly mac?: string
  readonly uuid?: string
  readonly serial?: string
  readonly label: readonly string[]
  readonly json?: boolean
}

export function defineExplain(command: Command): void {
  command
    .addOption(new Option('--mac <address>', 'hardware address, in any spelling').argParser(macIn))
    .option('--uuid <uuid>', 'UUID, in either case and order of bytes')
    .option('--serial <number>', 'serial number')
    .addOption(
      new Option('--label <key=value...>', 'anything else that the machine shows')
        .default([])
        .argParser(collect),
    )
    .addOption(serverOption())
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
Nothing is recorded, and no token is given: it is safe to ask for any machine.

Examples:
  pilotlight explain --mac 52-54-00-20-00-01
  pilotlight explain --mac 525400200001 --label os=installed
  pilotlight explain --uuid 4C4C4544-0000-2010-8020-B4C04F303232 --json | jq .winner`,
    )
    .action(async ({ server, json, label, ...rest }: ExplainFlags) => {
      const { ServerClient } = await import('#client/server.ts')
      const query = new URLSearchParams()
      for (const key of ['mac', 'uuid', 'serial'] as const)
        if (rest[key] !== undefined) query.set(key, rest[key])
      for (const pair of label) query.set(...pairOf(pair))
      const path = `/v1/explain?${query.toString()}`
      const client = new ServerClient(server)
      const accept = json ? 'application/json' : 'text/plain'
      show(await (await client.request('GET', path, { accept })).text())
    })
}

/** A boot request with a MAC that is none counts as one without; who asks by hand has mistyped it. */
function macIn(text: string): string {
  if (normaliseMac(text) !== undefined) return text
  throw new InvalidArgumentError(
    'it is not a hardware address; give 12 hex digits, for example 52:54:00:20:00:01.',
  )
}

function collect(pair: string, before: readonly string[]): string[] {
  return [...before, pair]
}

function pairOf(pair: string): [key: string, value: string] {
  const at = pair.indexOf('=')
  return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)]
}
