// What a verification concludes from what it sees. That a real cloud passes is shown by test/system.

import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Checks } from '#rack/openstack/verify/check.ts'
import { hearGuest, hearText, lastLines } from '#rack/openstack/verify/console.ts'
import { digestOf, readGuest } from '#rack/openstack/verify/guest-image.ts'
import { kinds, removableNow, type Kind } from '#rack/openstack/verify/removal.ts'
import { describeDriver, usableHosts, wiredHosts } from '#rack/openstack/verify/server.ts'
import { silentStage } from '#progress/stage.ts'

t.test('a guest is up only with exactly the address that Neutron gave it', async t => {
  const console = 'Linux version 6.1\r\nGUEST-UP 10.0.0.12\r\nGUEST-META none\r\n'
  t.strictSame(hearGuest(console, '10.0.0.12'), { state: 'up' })
  t.strictSame(hearGuest(console, '10.0.0.1'), { state: 'stranger', address: '10.0.0.12' })
  t.strictSame(hearGuest('Linux version 6.1\r\n', '10.0.0.1'), { state: 'silent' })
  t.strictSame(hearGuest('GUEST-UP', '10.0.0.1'), { state: 'silent' }, 'a line cut short says nothing')
  t.strictSame(hearGuest('kernel says GUEST-UP 10.0.0.1 somewhere', '10.0.0.1'), { state: 'silent' })
})

t.test('any other guest is up when its console shows the text that was named', async t => {
  t.strictSame(hearText('Welcome\ncirros login: ', 'login:'), { state: 'up' })
  t.strictSame(hearText('', 'login:'), { state: 'silent' })
  t.equal(lastLines('a\r\nb\r\n\r\nc\r\n', 2), 'b\nc')
  t.equal(lastLines(''), 'the console is empty')
})

t.test('emulation is never called anything else', async t => {
  t.strictSame(describeDriver({ driver: 'libvirt', hypervisor: 'qemu' }), {
    name: 'libvirt',
    hypervisor: 'QEMU, emulated (TCG)',
  })
  t.equal(describeDriver({ driver: 'libvirt', hypervisor: 'kvm' }).hypervisor, 'KVM')
  t.strictSame(describeDriver({ driver: 'fake', hypervisor: 'fake' }), { name: 'fake', hypervisor: 'fake' })
  t.equal(describeDriver({ driver: 'libvirt', hypervisor: null }).hypervisor, 'unknown')
})

const agent = (binary: string, alive = true) => ({ binary, host: 'cmp-1', alive, admin_state_up: true })

t.test('a server is asked for only when a host is mapped, and its network is at work', async t => {
  const hypervisor = {
    id: 'h',
    hypervisor_hostname: 'cmp-1',
    hypervisor_type: 'QEMU',
    state: 'up',
    status: 'enabled',
    service: { host: 'cmp-1' },
  } as const
  t.strictSame(usableHosts([hypervisor]), { value: ['cmp-1'] })
  t.match(usableHosts([]), { not: /no hypervisor/ })
  t.match(usableHosts([{ ...hypervisor, state: 'down' }]), { not: /no hypervisor/ })
  const [bridge, dhcp] = [agent('neutron-linuxbridge-agent'), agent('neutron-dhcp-agent')]
  t.strictSame(wiredHosts(['cmp-1'], [bridge, dhcp]), { value: true })
  t.match(wiredHosts(['cmp-1'], [agent('neutron-linuxbridge-agent', false), dhcp]), {
    not: /plugs servers in .* cmp-1/,
  })
  t.match(wiredHosts(['cmp-1', 'cmp-2'], [bridge, dhcp]), { not: /cmp-2/ })
  t.match(wiredHosts(['cmp-1'], [bridge]), { not: /DHCP/ })
})

t.test('things are removed in an order in which each may go, and all of them go', async t => {
  let things = kinds.map(kind => ({ kind, id: kind, name: kind }))
  const order: Kind[][] = []
  while (things.length > 0) {
    const now = removableNow(things)
    t.not(now.length, 0, 'something can always go')
    order.push(now.map(({ kind }) => kind))
    things = things.filter(thing => !now.includes(thing))
  }
  t.strictSame(order, [
    ['server', 'floating IP'],
    ['router', 'port', 'flavor', 'image'],
    ['network', 'security group'],
  ])
})

t.test('a check keeps the time that it waited for its service apart from its own', async t => {
  const checks = new Checks(silentStage, 10)
  let asked = 0
  await checks.run('image', async check => {
    await check.service('image', () => Promise.resolve((asked += 1) < 2 ? { not: 'not yet' } : { value: 1 }))
    check.note('3 MB')
  })
  const [result] = checks.results
  t.match(result, { name: 'image', state: 'passed', note: '3 MB' })
  t.ok(result !== undefined && result.waited > 0.2 && result.seconds < 0.2)
  t.strictSame([...checks.reached], ['image'])
})

t.test('the first failure stops the waits of the others, and putting away goes on', async t => {
  const checks = new Checks(silentStage, 10)
  const waiting = checks.run('hosts', check =>
    check.service('compute', () => Promise.resolve({ not: 'none' })),
  )
  const failing = checks.run('image', () => Promise.reject(new Error('the checksum is wrong')))
  await t.rejects(failing, { message: 'the checksum is wrong' })
  await t.rejects(waiting, { message: 'the checksum is wrong' })
  await t.rejects(
    checks.run('server', () => Promise.resolve()),
    'nothing new is begun',
  )
  await checks.last('removal', check => check.until('gone', 1, () => Promise.resolve({ value: true })))
  t.strictSame(
    checks.results.map(({ name, state }) => `${name} ${state}`),
    ['image failed', 'hosts stopped', 'removal passed'],
  )
  t.strictSame([...checks.reached], [])
})

t.test(
  "a disk image's format is recognised by its bytes, and its digest is made without reading it at once",
  async t => {
    const directory = mkdtempSync(join(tmpdir(), 'guest-'))
    t.teardown(() => rmSync(directory, { recursive: true }))
    const raw = join(directory, 'disk.raw')
    const cow = join(directory, 'disk.img')
    writeFileSync(raw, Buffer.alloc(3 << 20, 7))
    writeFileSync(cow, Buffer.from('QFI\u00FB\0\0\0\u0003', 'latin1'))
    const guest = await readGuest({ file: raw, shows: 'login:' })
    t.match(guest, { diskFormat: 'raw', shows: 'login:', printsAddress: false })
    t.equal((await readGuest({ file: cow, shows: 'login:' })).diskFormat, 'qcow2')
    t.equal(
      await digestOf(guest.disk, 'sha512'),
      createHash('sha512')
        .update(Buffer.alloc(3 << 20, 7))
        .digest('hex'),
    )
    await t.rejects(readGuest({ file: join(directory, 'none'), shows: '' }), {
      code: 'CHECK_FAILED',
      message: /cannot be read/,
    })
    await t.rejects(readGuest({ url: 'http://127.0.0.1:9/guest' }), {
      code: 'GUEST_SERVER_UNREACHABLE',
      message: /--image FILE/,
    })
  },
)
