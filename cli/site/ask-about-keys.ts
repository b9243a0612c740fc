// The question of `pilotlight up` at a terminal: whether to approve the keys that its machines showed.

import type { MachineKeyView } from '#model/machine-key.ts'
import type { PendingKeys } from '#rack/up/approvals.ts'
import { approveCommand, keyTable } from '../server/machines.ts'

/** How a person is asked, and shown lines without a question. */
export type Terminal = {
  readonly ask: (text: string) => Promise<boolean>
  readonly show: (text: string) => void
}

/**
 * Shows the keys, and asks whether to approve those of machines that showed one only. Where every machine showed several
 * there is nothing to ask: it only shows which commands approve one.
 */
export async function askAboutKeys(
  { single, several }: PendingKeys,
  { ask, show }: Terminal,
): Promise<boolean> {
  const text = [keyTable([...single, ...several.flat()]), ...several.map(severalText)].join('\n')
  if (single.length === 0) {
    show(text)
    return false
  }
  const these = single.length === 1 ? 'the key' : `the ${single.length} keys`
  const names = single.map(({ machine }) => machine).join(' ')
  return ask(`${text}\nCompare with the consoles of the machines. Approve ${these} of ${names}?`)
}

function severalText(keys: readonly MachineKeyView[]): string {
  const machine = keys[0]?.machine ?? ''
  const commands = keys.map(({ fingerprint }) => `\n  ${approveCommand(machine, fingerprint)}`)
  return (
    `${machine}: ${keys.length} keys wait, and at most one is its own. Yes approves none of them. ` +
    `Approve the one that its console shows:${commands.join('')}`
  )
}
