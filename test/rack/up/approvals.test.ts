import t from 'tap'
import {
  approveAtTerminal,
  newestBoot,
  requireSomeone,
  withApproval,
  type PendingKeys,
} from '#rack/up/approvals.ts'
import { keyTable } from '#cli/server/machines.ts'
import { askAboutKeys } from '#cli/site/ask-about-keys.ts'
import { Refusal } from '#client/refusal.ts'
import type { MachineKeyView } from '#model/machine-key.ts'
import { smallSite } from '../../small-site.ts'

const boots = smallSite.machines
const operators = { ...smallSite, trust: { ...smallSite.trust, approve: 'operator' } } as const
const isPresentKnown = true
const limit = () => AbortSignal.timeout(10_000)
const keyOf = (machine: string, port?: string, more: Partial<MachineKeyView> = {}): MachineKeyView => ({
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
  ...more,
})

/** A server where machines show these keys; what was approved, asked and shown. */
function segmentWith(keys: readonly MachineKeyView[], { answer = true, present = 'b-0001' } = {}) {
  const [approved, asked, shown]: string[][] = [[], [], []]
  const client = {
    keys: async () => keys,
    machines: async () => boots.map(machine => ({ ...machine, phase: 'booted' as const, boot: present })),
    decideKey: async (name: string, verb: string, fingerprint?: string, { isOnly = false } = {}) => {
      approved?.push(`${verb} ${name} ${fingerprint}${isOnly ? ' as the only one' : ''}`)
      return keyOf(name)
    },
  }
  const ask = async (text: string) => {
    asked?.push(text)
    return answer
  }
  const show = (text: string) => {
    shown?.push(text)
  }
  const approves = (keys: PendingKeys) => askAboutKeys(keys, { ask, show })
  return { client, terminal: { approves, show }, approved, asked, shown }
}

t.test('up fails early where keys must be approved and no one can be asked', async t => {
  t.throws(() => requireSomeone(operators, boots, undefined), {
    message: /the keys of ctl-1 cmp-1 are to be approved by an operator, and there is no terminal/,
    remedy: /--approve first-boot/,
  })
  requireSomeone(operators, [], undefined)
  requireSomeone(operators, boots, async () => true)
  requireSomeone(withApproval(operators, 'first-boot'), boots, undefined)
  const trusting = { ...operators, trust: { ...operators.trust, level: 'L1' } } as const
  t.equal(withApproval(trusting, 'first-boot').trust.level, 'L1', 'no flag raises the level')
})

t.test('up lists all keys once, with ports, and approves them on yes', async t => {
  const { client, terminal, approved, asked } = segmentWith([
    keyOf('ctl-1', 'circuit=7'),
    keyOf('cmp-1'),
    keyOf('x'),
  ])
  let looks = 0
  const slow = { ...client, keys: async () => (await client.keys()).slice(0, (looks += 1) < 2 ? 1 : 3) }
  await approveAtTerminal(slow, boots, terminal, { isPresentKnown }, AbortSignal.timeout(10_000))
  t.equal(asked?.length, 1)
  t.match(
    asked?.[0],
    /ctl-1 +SHA256:of-ctl-1 +10\.20\.0\.11 +52:54:00:20:00:01 +circuit=7 +2026-11-29T12:00:00Z\n/,
  )
  t.match(asked?.[0], 'Approve the 2 keys of ctl-1 cmp-1?')
  t.notMatch(asked?.[0], /^x /m, 'a machine of another site')
  t.strictSame(approved, [
    'approve ctl-1 SHA256:of-ctl-1 as the only one',
    'approve cmp-1 SHA256:of-cmp-1 as the only one',
  ])
  const refused = segmentWith([keyOf('ctl-1'), keyOf('cmp-1')], { answer: false })
  const no = approveAtTerminal(
    refused.client,
    boots,
    refused.terminal,
    { isPresentKnown },
    AbortSignal.timeout(10_000),
  )
  await t.rejects(no, { message: /not approved/, remedy: /machines approve NAME/ })
  t.strictSame(refused.approved, [])
})

t.test('up marks a machine that shows two keys, and yes approves neither', async t => {
  const other = { fingerprint: 'SHA256:other', address: '10.20.0.66' }
  const { client, terminal, approved, asked } = segmentWith([
    keyOf('ctl-1'),
    keyOf('ctl-1', undefined, other),
    keyOf('cmp-1'),
  ])
  await approveAtTerminal(client, boots, terminal, { isPresentKnown }, AbortSignal.timeout(10_000))
  t.match(asked?.[0], /^! ctl-1 +SHA256:of-ctl-1 [^\n]*\n {2}one of 2 keys that wait for ctl-1; an operator/m)
  t.match(asked?.[0], /^! ctl-1 +SHA256:other /m)
  t.match(asked?.[0], /^cmp-1 /m)
  t.match(
    asked?.[0],
    /Yes approves none of them.*:\n {2}pilotlight machines approve ctl-1 --fingerprint SHA256:of-ctl-1\n/,
  )
  t.match(asked?.[0], 'pilotlight machines approve ctl-1 --fingerprint SHA256:other')
  t.match(asked?.[0], 'Approve the key of cmp-1?')
  t.strictSame(approved, ['approve cmp-1 SHA256:of-cmp-1 as the only one'])

  const alone = segmentWith([keyOf('ctl-1'), keyOf('ctl-1', undefined, other)])
  const [ctl1] = boots
  if (ctl1 === undefined) throw new Error('the site has machines')
  await approveAtTerminal(
    alone.client,
    [ctl1],
    alone.terminal,
    { isPresentKnown },
    AbortSignal.timeout(10_000),
  )
  t.strictSame([alone.asked, alone.approved], [[], []], 'no question that yes would not answer')
  t.match(alone.shown?.[0], '--fingerprint SHA256:other')
})

t.test('up says so when another key arrives after the question, and goes on', async t => {
  const { client, terminal, shown } = segmentWith([keyOf('ctl-1'), keyOf('cmp-1')])
  const approved: string[] = []
  const raced = {
    ...client,
    decideKey: async (name: string) => {
      if (name === 'ctl-1')
        throw new Refusal({ method: 'POST', url: '', status: 409 }, {}, 'ctl-1 showed 2 keys', 'name one')
      approved.push(name)
      return keyOf(name)
    },
  }
  await approveAtTerminal(raced, boots, terminal, { isPresentKnown }, AbortSignal.timeout(10_000))
  t.strictSame(shown, ['the key of ctl-1 was not approved: ctl-1 showed 2 keys'])
  t.strictSame(approved, ['cmp-1'])
})

t.test('up asks about no key of a boot before it, nor of an earlier boot', async t => {
  const stale = { fingerprint: 'SHA256:stale', boot: 'b-000f' }
  const keys = [
    keyOf('ctl-1', undefined, stale),
    keyOf('ctl-1', undefined, { boot: 'b-0010' }),
    keyOf('cmp-1', undefined, { boot: 'b-0010' }),
  ]
  const approved = [
    'approve ctl-1 SHA256:of-ctl-1 as the only one',
    'approve cmp-1 SHA256:of-cmp-1 as the only one',
  ]

  const switched = segmentWith(keys, { present: 'b-000f' })
  t.equal(await newestBoot(switched.client), 16)
  await approveAtTerminal(
    switched.client,
    boots,
    switched.terminal,
    { after: 15, isPresentKnown: false },
    limit(),
  )
  t.strictSame(switched.approved, approved)

  const present = segmentWith(keys, { present: 'b-0010' })
  await approveAtTerminal(present.client, boots, present.terminal, { isPresentKnown }, limit())
  t.strictSame(present.approved, approved)

  const unknown = segmentWith(keys, { present: 'b-0010' })
  await approveAtTerminal(unknown.client, boots, unknown.terminal, { isPresentKnown: false }, limit())
  t.strictSame(unknown.approved, approved.slice(1), 'where DHCP is off, any of them may be the machine')
})

t.test('up asks nothing when all are ready', async t => {
  const { client, terminal, asked } = segmentWith([])
  const ready = {
    ...client,
    machines: async () => boots.map(machine => ({ ...machine, phase: 'ready' as const })),
  }
  await approveAtTerminal(ready, boots, terminal, { isPresentKnown }, AbortSignal.timeout(10_000))
  t.strictSame(asked, [])
  t.equal(keyTable([]), 'no key waits')
})
