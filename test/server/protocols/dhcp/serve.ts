// A DHCP server (and TFTP of a folder, when one is given) for the interop tests, run inside a network namespace:
// `serve.ts JSON`. It keeps leases in memory and prints `ready`, then a JSON line an event, a problem or a commit.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { MachineIndex } from '#server/machines/identity.ts'
import type { LeaseChange } from '#server/store/leases.ts'
import { openDhcp } from '#server/protocols/dhcp/socket.ts'
import { openTftp } from '#server/protocols/tftp/socket.ts'
import type { Machine } from '#model/machine.ts'
import type { ProvisioningNetwork } from '#model/network.ts'

/** What the server gets on its command line. */
export type ServeSettings = {
  readonly address: string
  readonly network: ProvisioningNetwork
  readonly machines: readonly Machine[]
  /** A folder whose files are served by TFTP. */
  readonly files?: string
  /** So many commits fail before the first one is made. */
  readonly failingCommits?: number
  /** How long each commit takes, in milliseconds; 0 for one that is over at once. */
  readonly commitMs?: number
}

if (import.meta.main) {
  const {
    address,
    network,
    machines,
    files,
    failingCommits = 0,
    commitMs = 0,
  }: ServeSettings = JSON.parse(process.argv[2] ?? '{}')
  const report = (problem: Error) => say({ kind: 'problem', text: problem.message })
  const begun = performance.now()
  const events = {
    record: (event: object) => say({ at: Math.round(performance.now() - begun) / 1000, ...event }),
  }
  let failures = failingCommits
  let underWay = 0
  const commit = async (changes: readonly LeaseChange[]) => {
    underWay += 1
    if (underWay > 1) report(new Error('two commits at a time'))
    if (commitMs > 0) await sleep(commitMs)
    underWay -= 1
    if (failures-- > 0) throw new Error('the disk is full')
    say({
      kind: 'commit',
      text: changes.map(change => (change.kind === 'put' ? change.lease.address : '')).join(' '),
    })
  }
  const dhcp = await openDhcp({
    address,
    events,
    report,
    url: `http://${address}:8080`,
    network: () => network,
    leases: { all: async () => [], commit },
    reservations: new MachineIndex(machines),
  })
  if (files !== undefined) {
    await openTftp({
      address,
      events,
      report,
      macOf: client => dhcp.macOf(client),
      files: async name => {
        const bytes = await readFile(join(files, name)).catch(() => undefined)
        return bytes && { bytes }
      },
    })
  }
  say({ kind: 'ready' })
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
