// The approval of machines' keys within `up`: it lists them once and asks, where a terminal is there to ask at.

import { Failure } from '#model/error.ts'
import { Refusal } from '#client/refusal.ts'
import type { ServerClient } from '#client/server.ts'
import type { Machine } from '#model/machine.ts'
import { isReady } from '#model/phase.ts'
import { sleep } from '#progress/wait.ts'
import { bootNumber, isLater } from '#model/boot.ts'
import type { MachineKeyView } from '#model/machine-key.ts'
import type { Site } from '../site/site.ts'

/** Keys that wait for a decision. */
export type PendingKeys = {
  /** Those of machines that showed one key: yes approves them. */
  readonly single: readonly MachineKeyView[]
  /** Those of each machine that showed several, of which at most one is its own: yes approves none of them. */
  readonly several: readonly (readonly MachineKeyView[])[]
}

/** Shows a person keys, and asks whether to approve the single ones; no, where there is none to ask about. */
export type AskAboutKeys = (keys: PendingKeys) => Promise<boolean>

const POLL_MS = 1000

/** The site with the approval that a flag of `up` gave. */
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
    `trust on first use: the first key that each of ${machines.length} machines shows is approved unseen, whatever its sender, ` +
    'and pinned; compare afterwards:  pilotlight journal NAME. When up ends, the server has the policy of the site file again'
  )
}

/**
 * Refuses to switch on machines that would wait for an operator, when no one can be asked.
 *
 * @throws {Failure} NEEDS_TERMINAL
 */
export function requireSomeone(
  { trust }: Site,
  boots: readonly Machine[],
  approves: AskAboutKeys | undefined,
): void {
  if (approves !== undefined || trust.level === 'L1' || trust.approve !== 'operator' || boots.length === 0)
    return
  const names = boots.map(({ name }) => name).join(' ')
  throw new Failure(
    'NEEDS_TERMINAL',
    `the keys of ${names} are to be approved by an operator, and there is no terminal to ask at`,
    'run it at a terminal, give --approve first-boot (the first keys are trusted, and pinned from then on), or set trust.approve in the site file',
  )
}

/** What `up` needs to ask a person at its terminal. */
export type Terminal = {
  readonly approves: AskAboutKeys
  /** Shows a person lines without a question. */
  readonly show: (text: string) => void
}

/** Which boots' keys `up` asks about. */
export type AskedBoots = {
  /**
   * The newest boot there was when `up` switched the machines on: keys of boots up to it are not asked about. Undefined where
   * a person switches them on, perhaps before `up` was started.
   */
  readonly after?: number
  /** DHCP shows which boot is a machine's present one: keys of its earlier boots are not asked about. */
  readonly isPresentKnown: boolean
}

/** The number of the newest boot that the server knows of. */
export async function newestBoot(client: Pick<ServerClient, 'keys' | 'machines'>): Promise<number> {
  const boots = [...(await client.machines()), ...(await client.keys('pending'))]
  return boots.reduce((newest, { boot }) => Math.max(newest, boot === undefined ? 0 : bootNumber(boot)), 0)
}

/**
 * Shows the keys that wait once every machine of `boots` has shown one or is ready, and asks once. On yes it approves the key
 * of each machine that has shown one only; of a machine that has shown several it approves none, and says which commands do.
 * Keys that come later are left to `pilotlight machines`. Ends when it has asked, or when all machines are ready.
 *
 * @throws {Failure} KEYS_NOT_APPROVED when the answer is no
 */
export async function approveAtTerminal(
  client: Pick<ServerClient, 'keys' | 'machines' | 'decideKey'>,
  boots: readonly Machine[],
  terminal: Terminal,
  asked: AskedBoots,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const states = new Map((await client.machines()).map(state => [state.name, state]))
    const pending = (await client.keys('pending')).filter(({ machine, boot }) => {
      if (!boots.some(({ name }) => name === machine)) return false
      if (asked.after !== undefined && bootNumber(boot) <= asked.after) return false
      const present = states.get(machine)?.boot
      return !asked.isPresentKnown || present === undefined || !isLater(present, boot)
    })
    const open = boots.filter(
      ({ name }) => !isReady(states.get(name)?.phase) && !pending.some(({ machine }) => machine === name),
    )
    if (open.length === 0 && pending.length === 0) return
    if (open.length === 0) return decideAll(client, pending, terminal)
    await sleep(POLL_MS, signal)
  }
}

async function decideAll(
  client: Pick<ServerClient, 'decideKey'>,
  pending: readonly MachineKeyView[],
  { approves, show }: Terminal,
): Promise<void> {
  const keys = bySenders(pending)
  const isYes = await approves(keys)
  if (keys.single.length === 0) return
  if (!isYes) {
    const remedy =
      'pilotlight machines approve NAME approves one, pilotlight machines reject NAME refuses one; then run it again'
    throw new Failure('KEYS_NOT_APPROVED', 'the keys were not approved', remedy)
  }
  for (const { machine, fingerprint } of keys.single) {
    try {
      await client.decideKey(machine, 'approve', fingerprint, { isOnly: true })
    } catch (error) {
      // Another key arrived since the question, or another operator decided: the machine's boot goes on as they say.
      if (!(error instanceof Refusal) || error.httpStatus !== 409) throw error
      show(`the key of ${machine} was not approved: ${error.message}`)
    }
  }
}

function bySenders(keys: readonly MachineKeyView[]): PendingKeys {
  const machines = [...Map.groupBy(keys, ({ machine }) => machine).values()]
  return {
    single: machines.filter(({ length }) => length === 1).flat(),
    several: machines.filter(({ length }) => length > 1),
  }
}
