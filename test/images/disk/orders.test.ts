// The program that asks for orders, and the one that writes slots, against a real server: as on an installed machine with UEFI, but
// that the partitions are files, and what this host's kernel cannot do (mounting FAT and squashfs, dm-verity) is recorded.

import { spawn } from 'node:child_process'
import { hash } from 'node:crypto'
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { run } from '#host/command.ts'
import { sleep, waitUntil } from '#progress/wait.ts'
import { endChild } from '../../end-child.ts'
import { AFTER, NEW, OLD, rackOf, type Rack } from '../../server/upgrade-rack.ts'
import { installedMachine, ROOT_IMAGE, TREE } from './installed-machine.ts'

t.setTimeout(300_000)
const missing: string[] = []
for (const name of ['jq', 'curl', 'unshare', 'sha256sum', 'cmp', 'timeout'])
  await run('sh', ['-c', `command -v ${name}`], { limitSeconds: 5 }).catch(() => missing.push(name))
const skip =
  process.getuid?.() !== 0 ? 'needs root' : missing.length > 0 ? `needs ${missing.join(', ')}` : false

/** An installed machine of a rack, and what runs its programs in it. */
async function machineOf(t: Test, rack: Rack, assets: string) {
  const folder = join(rack.server.statePath, '../machine')
  const machine = installedMachine(folder, assets)
  const { at, disk, calls } = machine
  mkdirSync(at('etc/pilotlight'), { recursive: true })
  writeFileSync(at('etc/pilotlight/agent.env'), `AGENT_URL=${rack.server.agentUrl}\nMACHINE=cmp-1\n`)
  cpSync(join(rack.server.statePath, 'ca.crt'), at('etc/pilotlight/ca.crt'))
  writeFileSync(at('etc/pilotlight/authorization'), `Authorization: Bearer ${rack.token('cmp-1')}\n`)
  writeFileSync(at('boot_id'), '11111111-2222-4333-8444-555555555555\n')
  /** Starts the program; gives what ends it, as a power cut does. */
  const start = () => {
    const prepare = [
      'mount --bind "$0/etc" /etc && mount --bind "$0/run" /run && mount -t tmpfs none /sys/firmware && mkdir /sys/firmware/efi',
      'mount --bind "$0/boot_id" /proc/sys/kernel/random/boot_id',
      'PATH=$0/bin:$PATH PILOTLIGHT_LIB=$0/lib PILOTLIGHT_ORDERS_SECONDS=2 exec sh "$0/lib/orders"',
    ].join(' && ')
    const child = spawn('unshare', ['--mount', 'sh', '-c', prepare, folder], { stdio: 'inherit' })
    t.teardown(() => endChild(child))
    return () => endChild(child)
  }
  /** Runs `slot overdue` in a boot from the disk; gives what sets the seconds since its start, and what ends when it does. */
  const overdue = (uptime: number) => {
    const set = (seconds: number) => writeFileSync(at('uptime'), `${seconds}.00 0.00\n`)
    set(uptime)
    writeFileSync(at('cmdline'), `pilotlight.disk pilotlight.slot=${NEW}\n`)
    const prepare = [
      'mount --bind "$0/run" /run && mount -t tmpfs none /sys/firmware && mkdir /sys/firmware/efi',
      'mount --bind "$0/uptime" /proc/uptime && mount --bind "$0/cmdline" /proc/cmdline',
      'PATH=$0/bin:$PATH PILOTLIGHT_LIB=$0/lib exec sh "$0/lib/slot" overdue',
    ].join(' && ')
    const child = spawn('unshare', ['--mount', 'sh', '-c', prepare, folder], { stdio: 'inherit' })
    t.teardown(() => endChild(child))
    const ended = new Promise<number | null>(resolve => child.on('exit', resolve))
    return { set, ended, end: () => endChild(child) }
  }
  const state = (wanted: string) =>
    waitUntil(`the state ${wanted}`, { limitSeconds: 90, everyMs: 500 }, async () => {
      const { state = '', why = '' } = (await rack.orders())['cmp-1'] ?? {}
      return state === wanted ? { value: why } : { not: `it is ${state}` }
    })
  return { at, disk, start, overdue, calls, state }
}

const assetsOf = (rack: Rack) => join(rack.server.statePath, '../assets/live')

t.test(
  'writes the slot that does not run, restarts when it is told to, and is done with the new one',
  { skip },
  async t => {
    const rack = await rackOf(t, ['cmp-1'])
    const machine = await machineOf(t, rack, assetsOf(rack))
    const loader = machine.at('run/pilotlight/esp/EFI/systemd/systemd-bootx64.efi')
    const { ino } = statSync(loader)
    await rack.order(['cmp-1'], { healthySeconds: 240 })
    const end = machine.start()
    await machine.state('written')
    t.equal(
      statSync(loader).ino,
      ino,
      'what the running version starts by is not written where it is the same',
    )
    t.same(readdirSync(machine.at('run/pilotlight/esp/loader')), ['loader.conf'])
    t.equal(readFileSync(machine.at('run/pilotlight/esp/loader/loader.conf'), 'utf8'), 'timeout 0')
    t.equal(readFileSync(machine.at('run/pilotlight/state/pilotlight/trial'), 'utf8'), `${NEW} 240\n`)
    t.equal(readFileSync(machine.at('disk5'), 'utf8').slice(0, ROOT_IMAGE.length), ROOT_IMAGE)
    t.equal(readFileSync(machine.at('disk6'), 'utf8').slice(0, TREE.length), TREE)
    const entries = readdirSync(machine.at('run/pilotlight/esp/EFI/Linux')).toSorted((a, b) =>
      a.localeCompare(b),
    )
    t.same(
      entries,
      [`pilotlight_1-${OLD}.efi`, `pilotlight_2-${NEW}+3.efi`],
      'what runs keeps its entry, what was there before has none',
    )
    t.equal(readFileSync(machine.at('run/labels/5'), 'utf8').trim(), `pilotlight_${NEW}`)
    const steps = machine.calls().filter(call => /^(?:sgdisk --change|veritysetup open)/.test(call))
    t.match(steps, [
      /--change-name=5:_empty .*--change-name=6:_empty/,
      /^veritysetup open .*disk5 .*disk6 1111bbbb/,
      /--change-name=5:pilotlight_1111bbbb1111/,
    ])
    t.equal(steps.length, 3)
    t.notOk(
      machine.calls().some(call => call.startsWith('systemctl')),
      'it does not restart by itself',
    )

    t.equal((await rack.restart('cmp-1')).status, 200)
    await waitUntil('the restart', { limitSeconds: 60 }, async () =>
      machine.calls().includes('systemctl reboot') ? { value: true } : { not: 'not yet' },
    )
    await end()
    machine.disk(NEW, 'b')
    writeFileSync(machine.at('boot_id'), `${AFTER}\n`)
    writeFileSync(machine.at('run/pilotlight/slot.good'), '')
    machine.start()
    await machine.state('done')
  },
)

t.test(
  'what was written is not written again after a power cut, and a new order after a failure is',
  { skip },
  async t => {
    const rack = await rackOf(t, ['cmp-1'])
    const machine = await machineOf(t, rack, assetsOf(rack))
    writeFileSync(machine.at('run/broken'), '')
    await rack.order(['cmp-1'])
    machine.start()
    t.match(
      await machine.state('failed'),
      /the partition table of .*disk was not changed: Problem opening the disk/,
    )
    t.equal(readFileSync(machine.at('disk5'), 'utf8').replaceAll('\0', ''), '', 'nothing was written')
    await run('rm', [machine.at('run/broken')], { limitSeconds: 5 })
    await rack.order(['cmp-1'])
    await machine.state('written')
    const before = machine.calls().length
    const written = join(assetsOf(rack), 'slot.json')
    const prepare =
      'mount --bind "$0/run" /run && mount -t tmpfs none /sys/firmware && mkdir /sys/firmware/efi && PATH=$0/bin:$PATH PILOTLIGHT_LIB=$0/lib sh "$0/lib/slot" write "$1" "$2"'
    const url = `${rack.server.url}/assets/live/slot.json`
    const again = (digest: string) =>
      run('unshare', ['--mount', 'sh', '-c', prepare, machine.at('.'), url, digest], { limitSeconds: 60 })
    t.match((await again(hash('sha256', readFileSync(written)))).stdout, /slot b holds 1111bbbb1111 already/)
    t.notOk(
      machine
        .calls()
        .slice(before)
        .some(call => call.includes('--change-name')),
    )
    await t.rejects(again('0'.repeat(64)), /does not have the digest/)
    machine.disk(NEW, 'b')
    t.match((await again(hash('sha256', readFileSync(written)))).stdout, /runs already: nothing is written/)
  },
)

t.test('does not restart into a slot that does not hold what was ordered', { skip }, async t => {
  const rack = await rackOf(t, ['cmp-1'])
  const machine = await machineOf(t, rack, assetsOf(rack))
  await rack.order(['cmp-1'])
  const end = machine.start()
  await machine.state('written')
  writeFileSync(machine.at('run/labels/5'), '_empty\n')
  await rack.restart('cmp-1')
  t.match(await machine.state('failed'), /slot b holds nothing/)
  t.notOk(machine.calls().some(call => call === 'systemctl reboot'))
  await end()
})

t.test('restarts an image that is not marked good in the time of its order', { skip }, async t => {
  const rack = await rackOf(t, ['cmp-1'])
  const machine = await machineOf(t, rack, assetsOf(rack))
  machine.disk(NEW, 'b')
  const entry = machine.at(`run/pilotlight/esp/EFI/Linux/pilotlight_3-${NEW}+2-1.efi`)
  writeFileSync(entry, 'x')
  for (const [number, version] of Object.entries({ 3: OLD, 4: OLD, 5: NEW, 6: NEW }))
    writeFileSync(machine.at(`run/labels/${number}`), `pilotlight_${version}\n`)
  const restarts = () => machine.calls().filter(call => call === 'systemctl reboot --no-block').length
  const restarted = (times: number) =>
    waitUntil('the restart', { limitSeconds: 30 }, async () =>
      restarts() === times ? { value: true } : { not: `${restarts()} restarts` },
    )
  const trial = machine.at('run/pilotlight/state/pilotlight/trial')
  const rows: readonly [string, string, number][] = [
    ['the time of the order', `${NEW} 120\n`, 120],
    ['of another version', `${OLD} 120\n`, 900],
    ['not a number', `${NEW} 1 2; reboot\n`, 900],
  ]
  for (const [at, [name, text, limit]] of rows.entries()) {
    writeFileSync(trial, text)
    const { set, end } = machine.overdue(limit - 1)
    await sleep(2500)
    t.equal(restarts(), at, `${name}: not before ${limit} s`)
    set(limit)
    await restarted(at + 1)
    await end()
  }
  writeFileSync(machine.at('run/pilotlight/slot.good'), '')
  t.equal(await machine.overdue(9000).ended, 0, 'one that is good is left alone')
  await run('rm', [machine.at('run/pilotlight/slot.good')], { limitSeconds: 5 })
  writeFileSync(machine.at(`run/pilotlight/esp/EFI/Linux/pilotlight_4-${NEW}.efi`), 'x')
  await run('rm', [entry], { limitSeconds: 5 })
  t.equal(await machine.overdue(9000).ended, 0, 'and one that was good in an earlier start')
  t.equal(restarts(), rows.length)
})
