import t from 'tap'
import { approveAtTerminal, requireSomeone, withApproval } from '../../cli/approvals.ts'
import { keyTable } from '../../cli/machines.ts'
import type { MachineKeyView } from '#server/http/machine-keys.ts'
import { smallSite } from '../small-site.ts'

const boots = smallSite.machines
const operators = { ...smallSite, trust: { ...smallSite.trust, approve: 'operator' } } as const
const keyOf = (machine: string, port?: string): MachineKeyView => ({
  machine,
  fingerprint: `SHA256:of-${machine}`,
  recipient: 'age1',
  state: 'pending',
  boot: 'b-0001',
  address: '10.20.0.11',
  mac: '52:54:00:20:00:01',
  why: 'an operator approves the first key of a machine here',
  seen: '2026-11-29T12:00:00Z',
  ...(port === undefined ? {} : { port }),
})

t.test('up fails early where keys must be approved and no one can be asked', async t => {
  t.throws(() => requireSomeone(operators, boots, undefined), {
    message: /the keys of ctl-1 cmp-1 are to be approved by an operator, and there is no terminal/,
    mend: /--approve first-boot/,
  })
  requireSomeone(operators, [], undefined)
  requireSomeone(operators, boots, async () => true)
  requireSomeone(withApproval(operators, 'first-boot'), boots, undefined)
  const trusting = { ...operators, trust: { ...operators.trust, level: 'L1' } } as const
  t.equal(withApproval(trusting, 'first-boot').trust.level, 'L1', 'no flag raises the level')
})

t.test('up lists all keys once, with ports, and approves them on yes', async t => {
  const asked: string[] = []
  const approved: string[] = []
  let looks = 0
  const client = {
    keys: async () =>
      (looks += 1) < 2 ? [keyOf('ctl-1')] : [keyOf('ctl-1', 'circuit=7'), keyOf('cmp-1'), keyOf('x')],
    machines: async () => boots.map(machine => ({ ...machine, phase: 'booted' })),
    decideKey: async (name: string, verb: string, fingerprint: string | undefined) => {
      approved.push(`${verb} ${name} ${fingerprint}`)
      return keyOf(name)
    },
  }
  const yes = async (text: string) => asked.push(text) > 0
  await approveAtTerminal(client, boots, yes, AbortSignal.timeout(10_000))
  t.equal(asked.length, 1)
  t.match(asked[0], /ctl-1 +SHA256:of-ctl-1 +10\.20\.0\.11 +52:54:00:20:00:01 +circuit=7\n/)
  t.notMatch(asked[0], /^x /m, 'a machine of another site')
  t.strictSame(approved, ['approve ctl-1 SHA256:of-ctl-1', 'approve cmp-1 SHA256:of-cmp-1'])
  const no = approveAtTerminal(client, boots, async () => false, AbortSignal.timeout(10_000))
  await t.rejects(no, { message: /not approved/, mend: /machines approve NAME/ })
})

t.test('up asks nothing when all are ready', async t => {
  const client = {
    keys: async () => [],
    machines: async () => boots.map(machine => ({ ...machine, phase: 'ready' })),
    decideKey: async () => keyOf('ctl-1'),
  }
  await approveAtTerminal(client, boots, async () => t.fail('asked'), AbortSignal.timeout(10_000))
  t.equal(keyTable([]), 'no key waits')
})
