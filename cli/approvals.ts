// The approval of machines' keys within `up`: it lists them once and asks, where a terminal is there to ask at.

import type { Machine } from '#server/inventory/objects.ts'
import type { MachineKeyView } from '#server/http/machine-keys.ts'
import { sleep } from '#progress/wait.ts'
import type { Site } from '#site/site.ts'
import { CommandError, EXIT } from './exit.ts'
import { keyTable } from './machines.ts'
import type { ServerClient } from './server-client.ts'

/** Asks a person a question with yes or no. */
export type AskYes = (text: string) => Promise<boolean>

const POLL_MS = 1000

/** The site with the approval that `up` was told by a flag. */
export function withApproval(site: Site, approve: 'first-boot' | undefined): Site {
  return approve === undefined || site.trust.level === 'L1'
    ? site
    : { ...site, trust: { ...site.trust, approve } }
}

/** What `up --approve first-boot` says before it begins; undefined where the flag is not given, or changes nothing. */
export function firstBootWarning(
  { trust, machines }: Site,
  approve: 'first-boot' | undefined,
): string | undefined {
  if (approve === undefined || trust.level === 'L1') return undefined
  return (
    `trust on first use: the first key that each of ${machines.length} machines shows is approved without a look, whoever sends it, ` +
    'and pinned; compare afterwards:  pilotlight journal NAME'
  )
}

/**
 * Refuses to switch on machines that would wait for an operator, when no one can be asked.
 *
 * @throws {CommandError} (usage)
 */
export function requireSomeone({ trust }: Site, boots: readonly Machine[], ask: AskYes | undefined): void {
  if (ask !== undefined || trust.level === 'L1' || trust.approve !== 'operator' || boots.length === 0) return
  const names = boots.map(({ name }) => name).join(' ')
  throw new CommandError(
    EXIT.usage,
    `the keys of ${names} are to be approved by an operator, and there is no terminal to ask at`,
    'run it at a terminal, give --approve first-boot (the first keys are trusted, and pinned from then on), or set trust.approve in the site file',
  )
}

/**
 * Shows the keys that wait once every machine of `boots` has shown one or is ready, asks once, and approves them all on
 * yes. Keys that come later (another one of the same machine) are left to `pilotlight machines`. Ends when it has asked,
 * or when all machines are ready.
 *
 * @throws {CommandError} (refused) when the answer is no
 */
export async function approveAtTerminal(
  client: Pick<ServerClient, 'keys' | 'machines' | 'decideKey'>,
  boots: readonly Machine[],
  ask: AskYes,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const pending = (await client.keys('pending')).filter(key =>
      boots.some(({ name }) => name === key.machine),
    )
    const phases = new Map((await client.machines()).map(({ name, phase }) => [name, phase]))
    const open = boots.filter(
      ({ name }) => phases.get(name) !== 'ready' && !pending.some(({ machine }) => machine === name),
    )
    if (open.length === 0 && pending.length === 0) return
    if (open.length === 0) return decideAll(client, pending, ask)
    await sleep(POLL_MS, signal)
  }
}

async function decideAll(
  client: Pick<ServerClient, 'decideKey'>,
  pending: readonly MachineKeyView[],
  ask: AskYes,
): Promise<void> {
  const question = `${keyTable(pending)}\nCompare with the consoles of the machines. Approve these ${pending.length} keys?`
  if (!(await ask(question))) {
    const mend =
      'pilotlight machines approve NAME approves one, pilotlight machines reject NAME refuses one; then run it again'
    throw new CommandError(EXIT.refused, 'the keys were not approved', mend)
  }
  for (const { machine, fingerprint } of pending) await client.decideKey(machine, 'approve', fingerprint)
}
