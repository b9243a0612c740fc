// The keys of encrypted disks: who may put one, who is handed one, and who sees one.

import t, { type Test } from 'tap'
import type { Machine } from '#model/machine.ts'
import { DiskKeys } from '#server/disks/disk-keys.ts'
import { fingerprintOf } from '#server/agent/sealing.ts'
import { TokenExpired } from '#server/agent/errors.ts'
import type { Occurrence } from '#server/machines/occurrences.ts'
import type { Install, MachineBoot } from '#server/store/machine-records.ts'
import { SqliteStore } from '#server/store/sqlite/store.ts'
import { controller } from '../../controller.ts'
import { machineKey } from '../../machine-key.ts'

const UUID = '11111111-2222-4333-8444-555555555555'
const OTHER = '99999999-2222-4333-8444-555555555555'
const SECRET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const REFUSED = { code: 'DISK_KEY_REFUSED', statusCode: 403 }
const address = controller.address ?? ''

/** A machine whose boot b-0001 was granted a disk, and its store. */
async function granted(t: Test, dhcp: 'full' | 'off' = 'full') {
  const store = new SqliteStore(':memory:')
  t.teardown(() => store.close())
  const { machines } = store
  const clock = { steady: 5000, wall: 1000 }
  const events: { kind: string; text: string }[] = []
  const alarms: Occurrence[] = []
  const state: { declared: Machine | undefined; isTokenGood: boolean } = {
    declared: controller,
    isTokenGood: true,
  }
  const keys = new DiskKeys({
    store: machines,
    tokens: {
      goodIn: () => {
        if (!state.isTokenGood) throw new TokenExpired(controller.name, 'is void')
        return undefined as never // what it gives is not used here
      },
    },
    journal: {
      record: ({ kind, text }) => void events.push({ kind, text: text ?? '' }),
      macOf: ({ macs }: Machine) => macs[0] ?? '',
    },
    alarms: { raise: alarm => void alarms.push(alarm) },
    clients: { dhcp },
    machineOf: () => state.declared,
    clocks: { wall: () => clock.wall, steady: () => clock.steady },
  })
  await machines.change(controller.name, record => record.putInstall(installOf('b-0001')))
  const disk = await machineKey()
  const sent = (holder: 'tpm' | 'server', uuid = UUID, secret = SECRET) => {
    return { uuid, secret, recipient: disk.recipient, holder }
  }
  /** What the machine is handed when it asks as its initrd does. */
  const handed = async (from = address, uuid = UUID) => {
    const { challenge } = await keys.offer(controller.name, uuid, from)
    const { key } = await keys.redeem(controller.name, uuid, from, await disk.open(challenge))
    return disk.open(key)
  }
  return { keys, machines, clock, events, alarms, state, disk, sent, handed }
}

/** Who holds the token of a boot of the machine. */
function who(boot = 'b-0001') {
  return {
    machine: controller,
    token: { hash: 'h', machine: controller.name, boot, until: 1 },
    mac: controller.macs[0] ?? '',
    address,
  }
}

function installOf(boot: string, more: Partial<Install> = {}): Install {
  const disk = { name: 'sda', bytes: 1e9, model: 'M', serial: 'S', byId: 'ata-S' }
  return {
    machine: controller.name,
    boot,
    disks: [disk],
    version: 'v',
    overwrite: true,
    grantedAt: 7,
    ...more,
  }
}

t.test('a disk whose key the server has is handed it for what the disk shows', async t => {
  const { keys, events, alarms, sent, handed } = await granted(t)
  await keys.keep(who(), sent('server'))
  t.equal(await handed(), SECRET)
  t.equal(await handed(), SECRET, 'and at each later boot')
  t.match(events, [
    { kind: 'key', text: /LUKS 11111111-.*server hands it out at each boot/ },
    { kind: 'unlock', text: /was handed the key/ },
    { kind: 'unlock' },
  ])
  t.notMatch(JSON.stringify(events), SECRET)
  t.same(alarms, [])
})

t.test('a copy of the machine that has not the disk is handed nothing', async t => {
  const { keys, alarms, sent, disk, handed } = await granted(t)
  await keys.keep(who(), sent('server'))
  const { challenge } = await keys.offer(controller.name, UUID, address)
  await t.rejects(keys.redeem(controller.name, UUID, address, 'guess'), REFUSED)
  t.match(alarms, [{ kind: 'refused', text: /answered the challenge for the disk of .* wrongly/ }])
  await t.rejects(handed('10.20.0.99'), { ...REFUSED, message: /10\.20\.0\.99 is not the address/ })
  await t.rejects(handed(address, OTHER), { ...REFUSED, message: /keeps no key for LUKS 99999999/ })
  t.ok(await keys.redeem(controller.name, UUID, address, await disk.open(challenge)), 'the machine still is')
  await t.rejects(
    keys.redeem(controller.name, UUID, address, await disk.open(challenge)),
    REFUSED,
    'no answer is good twice',
  )
})

t.test('who asks for many challenges ends none of the last sixteen', async t => {
  const { keys, sent, disk } = await granted(t)
  await keys.keep(who(), sent('server'))
  const first = await keys.offer(controller.name, UUID, address)
  const second = await keys.offer(controller.name, UUID, address)
  for (let asked = 0; asked < 15; asked += 1) await keys.offer(controller.name, UUID, address)
  await t.rejects(
    keys.redeem(controller.name, UUID, address, await disk.open(first.challenge)),
    REFUSED,
    'the seventeenth from the end is not good',
  )
  t.ok(await keys.redeem(controller.name, UUID, address, await disk.open(second.challenge)))
})

t.test('a key is taken from the boot that was granted the disk, and never replaced', async t => {
  const { keys, machines, state, sent } = await granted(t)
  await t.rejects(keys.keep(who('b-0002'), sent('tpm')), { ...REFUSED, message: /granted no disk/ })
  await keys.keep(who(), sent('tpm'))
  await keys.keep(who(), sent('tpm'))
  t.equal((await machines.read(controller.name, it => it.diskKeys())).length, 1, 'again is the same')
  await t.rejects(keys.keep(who(), sent('tpm', UUID, SECRET.replace('A', 'B'))), {
    ...REFUSED,
    message: /keeps another key/,
  })
  await t.rejects(keys.keep(who(), { ...sent('tpm'), recipient: 'age1x' }), { code: 'BAD_REQUEST' })
  state.isTokenGood = false
  await t.rejects(keys.keep(who(), sent('tpm', OTHER)), { code: 'TOKEN_EXPIRED' })
})

t.test('where the TPM holds the key an operator allows the server to hand it out, for an hour', async t => {
  const { keys, clock, events, sent, handed } = await granted(t)
  await t.rejects(keys.permit(controller, 'ada'), { ...REFUSED, message: /is not encrypted, or was wiped/ })
  await keys.keep(who(), sent('tpm'))
  await t.rejects(handed(), { ...REFUSED, message: /pilotlight disk unlock/ })
  await t.rejects(handed(), REFUSED)
  const waits = () => events.filter(({ text }) => /^waits for the key of its disk .*disk unlock/.test(text))
  t.equal(waits().length, 1, 'the journal says once that it waits')
  t.same(await keys.permit(controller, 'ada'), { machine: controller.name, until: 1000 + 3_600_000 })
  clock.steady += 3_599_999
  t.equal(await handed(), SECRET)
  clock.steady += 1
  await t.rejects(handed(), REFUSED, 'its hour is over')
  await keys.permit(controller, 'ada')
  t.equal(await handed(), SECRET)
  clock.steady += 59_999
  t.equal(await handed(), SECRET, 'an answer that was lost is had again')
  clock.steady += 60_000
  await t.rejects(handed(), REFUSED, 'once used it is good for a minute')
})

t.test('the permission is for the disks that the machine has then, and can be taken back', async t => {
  const { keys, machines, clock, events, sent, handed } = await granted(t)
  t.throws(() => keys.revoke(controller, 'ada'), { code: 'NOT_UNLOCKED', statusCode: 404 })
  await keys.keep(who(), sent('tpm'))
  await keys.permit(controller, 'ada')
  t.match(events.at(-1), { kind: 'unlock', text: /^ada allowed .*\(LUKS 11111111-[^,]*\)$/ })
  await machines.change(controller.name, record => record.putInstall(installOf('b-0002')))
  await keys.keep(who('b-0002'), sent('tpm', OTHER))
  await t.rejects(handed(address, OTHER), REFUSED, 'it was made after that')
  t.equal(await handed(), SECRET)

  await keys.permit(controller, 'ada')
  t.equal(await handed(address, OTHER), SECRET, 'while nothing is confirmed it may be either')
  t.same(keys.revoke(controller, 'bob'), { machine: controller.name, until: 1000 + 3_600_000 })
  t.match(events.at(-1), { kind: 'unlock', text: /^bob took back/ })
  await t.rejects(handed(), REFUSED)
  await t.rejects(handed(address, OTHER), REFUSED)
  t.throws(() => keys.revoke(controller, 'bob'), { code: 'NOT_UNLOCKED' }, 'only once')
  await keys.permit(controller, 'ada')
  clock.steady += 3_600_000
  t.throws(() => keys.revoke(controller, 'bob'), { code: 'NOT_UNLOCKED' }, 'nor after its hour')

  const confirmed = installOf('b-0002', {
    table: 't2',
    grantedAt: 3000,
    installedAt: 3000,
    confirmedAt: 3001,
  })
  await machines.change(controller.name, record => record.putInstall(confirmed))
  await keys.permit(controller, 'ada')
  t.match(events.at(-1), { text: /\(LUKS 99999999-[^,]*\)$/ }, 'not for the disk that it had before')
  await t.rejects(handed(), { ...REFUSED, message: /earlier installation/ })
})

t.test('a machine whose key was rejected, or that is not declared, is handed nothing', async t => {
  const { keys, machines, state, sent, handed } = await granted(t)
  await keys.keep(who(), sent('server'))
  const { recipient: key } = await machineKey()
  const fingerprint = fingerprintOf(key)
  const boot: MachineBoot = { machine: controller.name, boot: 'b-0001', tokens: 1, proven: true }
  await machines.change(controller.name, record => {
    record.putBoot(boot)
    record.spend('b-0001', 5, { token: 'h', key, fingerprint })
    record.putKey({
      machine: controller.name,
      fingerprint,
      recipient: key,
      state: 'approved',
      boot: 'b-0001',
      address,
      mac: controller.macs[0] ?? '',
      why: 'a test',
      seenAt: 1,
    })
  })
  t.equal(await handed(), SECRET)
  await machines.change(controller.name, record => {
    const [kept] = record.keys()
    if (kept !== undefined) record.putKey({ ...kept, state: 'rejected' })
  })
  await t.rejects(handed(), { ...REFUSED, message: /rejected the machine's key/ })
  state.declared = undefined
  await t.rejects(handed(), { ...REFUSED, message: /is not the address of a machine that is declared/ })
})

t.test(
  'an administrator sees the keys, that of the system which runs marked, and the journal says so',
  async t => {
    const { keys, machines, events, sent } = await granted(t)
    await t.rejects(keys.show(controller, 'ada'), REFUSED)
    await machines.change(controller.name, record =>
      record.putInstall(installOf('b-0002', { installedAt: 8 })),
    )
    await keys.keep(who(), sent('tpm'))
    await keys.keep(who('b-0002'), sent('server', OTHER, 'B'.repeat(32)))
    t.match(await keys.show(controller, 'ada'), [
      { uuid: OTHER, isPresent: true, holder: 'server' },
      { uuid: UUID, isPresent: false, key: 'ABCD-EFGH-IJKL-MNOP-QRST-UVWX-YZ23-4567' },
    ])
    await machines.change(controller.name, record => {
      record.putInstall(installOf('b-0001', { installedAt: 8 }))
      record.confirmInstall('b-0001', 9)
    })
    t.match(await keys.show(controller, 'ada'), [{ isPresent: false }, { uuid: UUID, isPresent: true }])
    t.match(events.at(-1), { kind: 'unlock', text: /^ada was shown the recovery key/ })
  },
)

/** A UUID by its number. */
const numbered = (number: number) => UUID.replace(/^1{8}/, `${number}`.padStart(8, '0'))

t.test('a boot has two keys kept, and a third pushes none of them out', async t => {
  const { keys, machines, sent, handed } = await granted(t)
  await keys.keep(who(), sent('server'))
  await keys.keep(who(), sent('server', OTHER))
  for (let made = 1; made < 20; made += 1)
    await t.rejects(keys.keep(who(), sent('server', numbered(made))), {
      ...REFUSED,
      message: /keeps 2 keys of this boot\. Switch the machine off and on/,
    })
  t.equal((await machines.read(controller.name, it => it.diskKeys())).length, 2)
  t.equal(await handed(), SECRET)
  await keys.keep(who(), sent('server'))
  t.equal(await handed(address, OTHER), SECRET, 'and each is still one that was kept before')
})

/** Has `count` boots from b-0010 on ask for a disk and put keys, as anyone can who boots in the machine's name. */
async function putByOthers(
  { keys, machines, sent }: Awaited<ReturnType<typeof granted>>,
  count: number,
  place: Partial<MachineBoot> = {},
) {
  for (let made = 16; made < 16 + count; made += 1) {
    const boot = `b-${made.toString(16).padStart(4, '0')}`
    await machines.change(controller.name, record => {
      record.putBoot({ machine: controller.name, boot, tokens: 1, proven: true, ...place })
      record.putInstall(installOf(boot))
    })
    for (const second of [0, 1])
      await keys.keep(who(boot), sent('server', numbered(made * 2 + second), 'B'.repeat(32)))
  }
}

t.test('no boot in its name pushes out the key of the system that a machine runs', async t => {
  const all = await granted(t)
  await all.keys.keep(who(), all.sent('server'))
  await all.machines.change(controller.name, record =>
    record.putInstall(installOf('b-0001', { installedAt: 8, confirmedAt: 9 })),
  )
  await putByOthers(all, 40)
  t.equal(await all.handed(), SECRET)
  t.equal((await all.machines.read(controller.name, it => it.diskKeys())).length, 24)
})

t.test('nor that of a system which waits for its approval, where they are not at its address', async t => {
  const all = await granted(t)
  const own: MachineBoot = { machine: controller.name, boot: 'b-0001', tokens: 1, proven: false }
  await all.machines.change(controller.name, record => record.putBoot(own))
  await all.keys.keep(who(), all.sent('server'))
  await putByOthers(all, 40, { proven: false, isElsewhere: true })
  t.equal(await all.handed(), SECRET)
  const { installs } = await all.machines.read(controller.name, it => it.disk())
  t.ok(installs.some(({ boot }) => boot === 'b-0001'))
})

t.test('nor where they are shown as its own, once its disk is written', async t => {
  const all = await granted(t)
  const own: MachineBoot = { machine: controller.name, boot: 'b-0001', tokens: 1, proven: true }
  await all.machines.change(controller.name, record => {
    record.putBoot(own)
    record.putInstall(installOf('b-0001', { installedAt: 8 }))
  })
  await all.keys.keep(who(), all.sent('server'))
  await putByOthers(all, 40)
  t.equal(await all.handed(), SECRET)
  const { installs } = await all.machines.read(controller.name, it => it.disk())
  t.equal(installs.length, 9)
})

t.test('nor one of a system that was entered without a record of its install', async t => {
  const all = await granted(t)
  await all.keys.keep(who(), all.sent('server'))
  const entered = installOf('b-0002', { grantedAt: 2000, installedAt: 2000, confirmedAt: 2001 })
  await all.machines.change(controller.name, record => record.putInstall(entered))
  all.clock.wall = 3000
  await putByOthers(all, 40)
  t.equal(await all.handed(), SECRET)
})

t.test('the key of a disk that another one took the place of is for people alone', async t => {
  const { keys, machines, sent, handed } = await granted(t)
  await keys.keep(who(), sent('server'))
  const install = installOf('b-0002', { table: 't2', grantedAt: 3000, installedAt: 3000 })
  await machines.change(controller.name, record => record.putInstall(install))
  await keys.keep(who('b-0002'), sent('server', OTHER))
  t.equal(await handed(), SECRET, 'until the new one is confirmed')
  await machines.change(controller.name, record => record.confirmInstall('b-0002', 3001))
  await t.rejects(handed(), { ...REFUSED, message: /is of an earlier installation/ })
  t.equal(await handed(address, OTHER), SECRET)
  t.match(await keys.show(controller, 'ada'), [{ isPresent: true }, { uuid: UUID, isPresent: false }])
  const inClear = installOf('b-0003', { table: 't3', grantedAt: 4000, installedAt: 4000, confirmedAt: 4001 })
  await machines.change(controller.name, record => record.putInstall(inClear))
  await t.rejects(handed(address, OTHER), REFUSED, 'nor where the new system is in clear')
})

t.test('a host that asks from another address ends none of the challenges of the machine', async t => {
  const { keys, sent, disk } = await granted(t, 'off')
  await keys.keep(who(), sent('server'))
  const { challenge } = await keys.offer(controller.name, UUID, address)
  for (let asked = 0; asked < 16; asked += 1) await keys.offer(controller.name, UUID, '10.20.0.66')
  t.ok(await keys.redeem(controller.name, UUID, address, await disk.open(challenge)))
})
