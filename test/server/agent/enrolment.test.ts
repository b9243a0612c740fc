// What a machine that waits for its approval gets, what the journal keeps of it, and what an operator decides while a
// bundle is on its way.

import t, { type Test } from 'tap'
import { LIMITS } from '#model/clean.ts'
import type { Machine, MachineTrust } from '#model/machine.ts'
import { Enrolment, heldText } from '#server/agent/enrolment.ts'
import { whyKept } from '#server/store/disk-key-records.ts'
import { Reopenings } from '#server/agent/reopenings.ts'
import { fingerprintOf } from '#server/agent/sealing.ts'
import { BootTokens } from '#server/agent/boot-tokens.ts'
import type { Occurrence } from '#server/machines/occurrences.ts'
import { knownRecords } from '#server/store/known-records.ts'
import type { MachineKey } from '#model/machine-key.ts'
import type { TokenRecord } from '#server/store/machine-records.ts'
import { SqliteStore } from '#server/store/sqlite/store.ts'
import { defaultTrust } from '#server/agent/trust.ts'
import { machineKey } from '../../machine-key.ts'
import { controller } from '../../controller.ts'

const START = Date.parse('2026-11-29T12:00:00Z')

t.test('keeps the whole command however long the reason and the switch port are', async t => {
  const fingerprint = `SHA256:${'0'.repeat(64)}`
  const machine = 'controller-0123456789-0123456789-0123456789-0123456789-01234567'
  const text = heldText({
    machine,
    fingerprint,
    address: '10.20.0.11',
    port: `circuit=GigabitEthernet1/0/24 remote=${'f'.repeat(200)}`,
    why: `it is not the key that was approved on 2026-11-29 (SHA256:${'1'.repeat(64)})`,
  })
  t.ok(text.length <= LIMITS.eventText, `${text.length} characters`)
  t.match(text, new RegExp(`^${machine} at 10\\.20\\.0\\.11, port .*…? If it is the machine: {2}`))
  t.ok(text.endsWith(`pilotlight machines approve ${machine} --fingerprint ${fingerprint}`))
})

/** A machine that has a challenge and its answer, at a level, in a boot; and a bundle that it asks for. */
async function asking(t: Test, given: Partial<MachineTrust>) {
  const store = new SqliteStore(':memory:')
  t.teardown(() => store.close())
  const clock = { steady: 5000 }
  const clocks = { wall: () => START, steady: () => clock.steady }
  const trust = { ...defaultTrust, approve: 'first-boot', ...given } as const
  const machine: Machine = { ...controller, trust }
  const host = { run: 'first', now: () => 5000 }
  const { machines } = store
  let onBundle: (() => void) | undefined
  const secrets = {
    bundle: (name: string) => {
      onBundle?.()
      return store.secrets.bundle(name)
    },
    authority: (site: string) => store.secrets.authority(site),
    hasBundle: (name: string) => store.secrets.hasBundle(name),
  }
  const { running, reopened } = await knownRecords(machines)
  const reopenings = new Reopenings(machines, reopened, clocks, host)
  const tokens = new BootTokens({ store: machines, bundles: secrets, running, reopenings, clocks, host })
  const alarms: Occurrence[] = []
  let declared: Machine | undefined = machine
  const enrolment = new Enrolment({
    store: machines,
    secrets,
    tokens,
    reopenings,
    clocks,
    machineOf: () => declared,
    journal: {
      record: () => undefined,
      currentOf: () => undefined,
      macOf: ({ macs }: Machine) => macs[0] ?? '',
    },
    alarms: { raise: alarm => void alarms.push(alarm) },
    clients: { dhcp: 'full' },
  })
  await store.secrets.putBundle('ctl-1', { files: [], requests: [], secrets: [] })
  const tokenOf = async (id: string) => {
    const made = await tokens.mint('ctl-1', id, { proven: true })
    if ('refused' in made) throw new Error(made.refused)
    const token = await tokens.use(made.token)
    return { token, machine, mac: machine.macs[0] ?? '', address: machine.address }
  }
  /** Lets a boot in: it has its token, and asks. Its key was let pass, and the bundle is about to be sealed, when `begin` resolves. */
  const boot = async (id: string) => {
    const who = await tokenOf(id)
    const { token } = who
    const key = await machineKey()
    const enroll = () => enrolment.enroll(who, { key: key.recipient })
    const enrolled = await enroll()
    if (enrolled.status !== 'approved') throw new Error(enrolled.message)
    const answer = await key.open(enrolled.challenge)
    const begin = async () => {
      const letPass = new Promise<void>(resolve => {
        onBundle = resolve
      })
      const asked = enrolment.bundle(who, { answer })
      asked.catch(() => undefined) // looked at later
      await Promise.race([letPass, asked.catch(() => undefined)])
      return { asked }
    }
    return { token, enroll, begin, fingerprint: fingerprintOf(key.recipient) }
  }
  const remove = () => (declared = undefined)
  const isGiven = (id: string) => machines.read('ctl-1', record => record.boot(id)?.bundleAt !== undefined)
  const putKey = (key: MachineKey) => machines.change('ctl-1', record => record.putKey(key))
  const spend = (token: TokenRecord, to: { key: string; fingerprint: string }) =>
    machines.change('ctl-1', record => tokens.spendIn(record, token, to))
  return {
    machines,
    clock,
    tokens,
    enrolment,
    machine,
    alarms,
    tokenOf,
    boot,
    remove,
    isGiven,
    putKey,
    spend,
  }
}

for (const level of ['L1', 'L2'] as const) {
  t.test(`gives no bundle when an operator rejects the key while it is sealed, at ${level}`, async t => {
    const { machines, putKey, enrolment, machine, alarms, boot, isGiven } = await asking(t, { level })
    const { begin, fingerprint } = await boot('b-0001')
    const { asked } = await begin()
    t.equal(
      (await machines.keys('ctl-1'))[0]?.state,
      level === 'L1' ? undefined : 'approved',
      'it was let pass',
    )
    const seen = {
      machine: 'ctl-1',
      fingerprint,
      recipient: 'age1',
      boot: 'b-0001',
      address: machine.address,
    }
    if (level === 'L1')
      await putKey({ ...seen, mac: machine.macs[0] ?? '', why: 'shown', seenAt: 1, state: 'pending' })
    await enrolment.reject(machine, { fingerprint }, 'ada')
    await t.rejects(asked, { code: 'KEY_REFUSED', message: /is rejected/ })
    t.equal(await isGiven('b-0001'), false)
    t.match(alarms, [
      { kind: 'refused', text: /gets no bundle: its key SHA256:.* is rejected since it asked/ },
    ])
  })

  t.test(
    `gives no bundle to a boot when a later one gets its own while it is sealed, at ${level}`,
    async t => {
      const { spend, boot, isGiven } = await asking(t, { level, reboot: 'auto' })
      const early = await boot('b-0001')
      const late = await boot('b-0002')
      const { asked } = await early.begin()
      await spend(late.token, { key: 'age1late', fingerprint: 'SHA256:late' })
      await t.rejects(asked, { code: 'TOKEN_EXPIRED', message: /is of boot b-0001; this is boot b-0002/ })
      t.equal(await isGiven('b-0001'), false)
      await t.rejects(spend(early.token, { key: 'age1', fingerprint: 'SHA256:early' }), {
        code: 'TOKEN_REPLAYED',
      })
    },
  )
}

t.test('gives no bundle to a machine that is taken out of its site while it is sealed', async t => {
  const { boot, remove, isGiven } = await asking(t, {})
  const { asked } = await (await boot('b-0001')).begin()
  remove()
  await t.rejects(asked, { code: 'UNKNOWN_TOKEN' })
  t.equal(await isGiven('b-0001'), false)
})

t.test('gives no bundle when another key of the machine is approved while it is sealed', async t => {
  const { putKey, machine, boot, isGiven } = await asking(t, {})
  const { asked } = await (await boot('b-0001')).begin()
  const other = { machine: 'ctl-1', fingerprint: 'SHA256:other', recipient: 'age1', boot: 'b-0002' }
  const place = { address: machine.address, mac: machine.macs[0] ?? '', why: 'shown', seenAt: 1 }
  await putKey({ ...other, ...place, state: 'approved' })
  await t.rejects(asked, { code: 'KEY_REFUSED', message: /is retired/ })
  t.equal(await isGiven('b-0001'), false)
})

t.test('gives no bundle to a boot that an operator closes again, before it is sealed or while', async t => {
  const { tokens, enrolment, machine, alarms, boot, isGiven } = await asking(t, { level: 'L1' })
  const first = await boot('b-0001')
  await (
    await first.begin()
  ).asked
  await tokens.ready(first.token)
  await enrolment.reopen(machine, 'ada')
  const opened = await boot('b-0002')
  const { asked } = await opened.begin()
  t.match(await enrolment.close(machine, 'ada'), { machine: 'ctl-1' }, 'the operator learns that it is done')
  const why = /boot b-0002 is not open any more.*pilotlight machines reopen ctl-1/
  await t.rejects(asked, { code: 'KEY_REFUSED', message: why })
  await t.rejects(
    (await opened.begin()).asked,
    { code: 'KEY_REFUSED', message: why },
    'nor when it asks again',
  )
  await t.rejects(opened.enroll(), { code: 'KEY_REFUSED', message: why })
  t.equal(await isGiven('b-0002'), false)
  t.match(alarms, [{ kind: 'refused', text: why }])
  await enrolment.reopen(machine, 'ada')
  const next = await boot('b-0003')
  t.match(await (await next.begin()).asked, { files: 0 }, 'one that is opened anew gets it')
})

t.test(
  'a key that was approved in the boot that is open gets its bundle, and again after a fault',
  async t => {
    const { tokens, enrolment, machine, boot } = await asking(t, {})
    const first = await boot('b-0001')
    await (
      await first.begin()
    ).asked
    await tokens.ready(first.token)
    await enrolment.reopen(machine, 'ada')
    const opened = await boot('b-0002')
    const { asked } = await opened.begin()
    await t.rejects(enrolment.close(machine, 'ada'), { code: 'NOT_REOPENED' }, 'its key has had the opening')
    t.match(await opened.enroll(), { status: 'approved' })
    t.match(await asked, { files: 0 })
  },
)

t.test('a key waits no longer than the deadline, however many others are shown between', async t => {
  const { clock, enrolment, tokenOf } = await asking(t, { approve: 'operator', deadlineMinutes: 5 })
  const who = await tokenOf('b-0001')
  const { recipient: key } = await machineKey()
  t.match(await enrolment.enroll(who, { key }), { status: 'waiting' })
  const others = await Promise.all(Array.from({ length: 20 }, () => machineKey()))
  for (let minute = 1; minute <= 5; minute += 1) {
    clock.steady += 60_000
    let refused = 0
    for (const { recipient } of others)
      await enrolment.enroll(who, { key: recipient }).catch(() => (refused += 1))
    t.equal(refused, 17, 'three wait beside it')
    t.match(await enrolment.enroll(who, { key }), { status: 'waiting' })
  }
  clock.steady += 1
  await t.rejects(enrolment.enroll(who, { key }), { code: 'APPROVAL_TOO_LATE' })
})

for (const level of ['L1', 'L2'] as const) {
  t.test(`rejects the key of a machine that is missing, and its disk with it, at ${level}`, async t => {
    const { machines, enrolment, machine, boot, tokenOf, putKey, isGiven } = await asking(t, { level })
    const { begin, fingerprint } = await boot('b-0001')
    await (
      await begin()
    ).asked
    t.ok(await isGiven('b-0001'))
    const disk = {
      uuid: 'u',
      secret: 's',
      recipient: 'age1',
      holder: 'server',
      boot: 'b-0001',
      at: 1,
    } as const
    await machines.change('ctl-1', record => record.putDiskKeys([disk]))
    const why = () => machines.read('ctl-1', record => record.diskKeys().map(key => whyKept(key, record)))
    t.same(await why(), [undefined])
    const strangers = {
      machine: 'ctl-1',
      fingerprint: 'SHA256:stranger',
      recipient: 'age1',
      state: 'pending',
      boot: 'b-0002',
      address: '10.20.0.99',
      mac: machine.macs[0] ?? '',
      why: 'a test',
      seenAt: START,
    } as const
    await putKey(strangers)
    const both = {
      code: 'AMBIGUOUS_KEY',
      message: /SHA256:stranger at .* \(pending\), SHA256:.* \(approved\)/,
    }
    await t.rejects(enrolment.reject(machine, {}, 'ada'), both, 'which of them is not guessed')
    await enrolment.reject(machine, { fingerprint: strangers.fingerprint }, 'ada')
    t.same(await why(), [undefined], "another's key takes no disk with it")
    t.match(await enrolment.reject(machine, {}, 'ada'), { fingerprint, state: 'rejected' })
    t.match(await why(), [/an operator rejected/])
    await t.rejects(enrolment.reject(machine, {}, 'ada'), { code: 'NO_KEY_WAITS' })
    // Whoever has it boots in its name, until nothing is known of the boot that made the key.
    const thief = await tokenOf('b-0002')
    await machines.change('ctl-1', record => {
      record.putBoot({ machine: 'ctl-1', boot: 'b-0001', tokens: 1, proven: true })
      record.spend(thief.token.boot, START, { token: thief.token.hash, key: 'age1', fingerprint: 'SHA256:t' })
    })
    t.match(await why(), [/an operator rejected/], 'it stays so')
    await enrolment.approve(machine, { fingerprint }, 'ada')
    t.same(await why(), [undefined], 'until the key is approved again')
  })
}
