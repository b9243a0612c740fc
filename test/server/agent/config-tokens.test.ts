import t from 'tap'
import { ConfigTokens, type ConfigTokenNeeds } from '#server/agent/config-tokens.ts'
import { Waits } from '#server/agent/waits.ts'
import type { Machine } from '#model/machine.ts'
import type { CurrentBoot } from '#server/machines/journal.ts'

const mac = '52:54:00:20:00:01'
const address = '10.20.0.11'
const machine: Machine = { name: 'ctl-1', macs: [mac], role: 'controller', address, labels: {} }
const current = { id: 'b-0002', mac, lease: address, port: 'ge-0/0/1', ports: ['ge-0/0/1'] }

/** The tokens of a machine in its second boot, where `isReboot`; `seen` has what was minted, raised and recorded. */
function configTokens({
  isReboot = false,
  isReopened = false,
  hasBundle = true,
  isOpen = true,
  isInstalled = false,
} = {}) {
  const clock = { minutes: 0 }
  const seen: string[] = []
  const reboot = isReboot ? { last: 'b-0001', isReopened } : undefined
  const needs: ConfigTokenNeeds = {
    tokens: {
      isReboot: () => isReboot,
      rebootOf: () => Promise.resolve(reboot),
      mint: (name, boot, place) => {
        seen.push(`minted for ${name} ${boot} at ${place.port}`)
        return Promise.resolve({ token: 'secret', isFirst: true })
      },
    },
    clients: { dhcp: 'full', isOpen, leaseAt: at => (at === address ? { mac } : undefined) },
    journal: {
      record: ({ kind }) => {
        seen.push(`recorded ${kind}`)
        return boot
      },
      currentOf: () => boot,
      bootAt: () => boot,
    },
    alarms: { raise: ({ kind, text }) => void seen.push(`alarm ${kind}: ${text}`) },
    waits: new Waits(() => clock.minutes * 60_000),
    hasBundle: () => Promise.resolve(hasBundle),
    isInstalled: () => isInstalled,
    isOwn: at => at === '127.0.0.1',
  }
  return { tokens: new ConfigTokens(needs), seen, clock }
}

const boot = current as unknown as CurrentBoot // the fields that the decision reads

t.test('gives the machine itself a token of its boot, with its switch port', async t => {
  const { tokens, seen } = configTokens()
  t.strictSame(await tokens.give(machine, { address, labels: { mac } }), { token: 'secret', boot: 'b-0002' })
  t.strictSame(seen, ['minted for ctl-1 b-0002 at ge-0/0/1'])
})

t.test('gives no other sender one, and raises an alarm unless it is on this host', async t => {
  const { tokens, seen } = configTokens()
  t.equal(await tokens.give(machine, { address: '127.0.0.1', labels: { mac } }), undefined)
  t.strictSame(seen, [], 'an operator looks')
  t.equal(await tokens.give(machine, { address: '10.20.0.66', labels: { mac } }), undefined)
  t.match(seen, [/^alarm refused: 10\.20\.0\.66 asked for the config of ctl-1 and got no token: /])
})

t.test('gives an installed machine its token in a second boot, since its disk keeps its key', async t => {
  const { tokens, seen } = configTokens({ isReboot: true, isInstalled: true })
  t.match(await tokens.give(machine, { address, labels: { mac } }), { token: 'secret' })
  t.same(seen, ['minted for ctl-1 b-0002 at ge-0/0/1', 'recorded reboot'])
})

t.test('holds a second boot for an operator, and refuses it after the deadline', async t => {
  const { tokens, seen, clock } = configTokens({ isReboot: true })
  await t.rejects(tokens.give(machine, { address, labels: { mac } }), { code: 'REBOOT_HELD' })
  t.match(await tokens.heldAt(machine, address), { code: 'REBOOT_HELD' }, 'the script shows it')
  clock.minutes = 61
  await t.rejects(tokens.give(machine, { address, labels: { mac } }), { code: 'REBOOT_TOO_LATE' })
  t.match(seen, [/^alarm held: /, /^alarm held: /])
})

t.test('lets a second boot go on that an operator opened, and records why', async t => {
  const { tokens, seen } = configTokens({ isReboot: true, isReopened: true })
  t.match(await tokens.give(machine, { address, labels: { mac } }), { token: 'secret' })
  t.strictSame(seen, ['minted for ctl-1 b-0002 at ge-0/0/1', 'recorded reboot'])
})

t.test('holds no boot of a machine that gets no bundle', async t => {
  const { tokens } = configTokens({ isReboot: true, hasBundle: false })
  t.match(await tokens.give(machine, { address, labels: { mac } }), { token: 'secret' })
  t.equal(await tokens.heldAt(machine, address), undefined)
})

t.test('gives none while the leases are not known', async t => {
  const { tokens } = configTokens({ isOpen: false })
  await t.rejects(tokens.give(machine, { address, labels: { mac } }), { code: 'STILL_STARTING' })
})
