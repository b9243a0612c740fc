import { join } from 'node:path'
import t from 'tap'
import { run } from '#host/command.ts'
import { MachineIndex } from '#server/machines/identity.ts'
import { openDhcp } from '#server/protocols/dhcp/socket.ts'
import { whyNoNetworks } from '../../../network.ts'
import { MAC, machine, network, SERVER } from './clients.ts'
import { layWire } from './wire.ts'

const SOCKET = join(import.meta.dirname, '../../../../server/protocols/dhcp/socket.ts')
const NETWORKD = '/lib/systemd/systemd-networkd'
const udhcpc = ['-i', 'eth0', '-n', '-q', '-f', '-s', '/bin/true', '-t', '5', '-T', '2']

t.test('udhcpc gets the address kept for its machine', { skip: whyNoNetworks('/sbin/udhcpc') }, async t => {
  const wire = await layWire(t, { machines: [machine()] })
  t.match(
    await wire.client('udhcpc', udhcpc),
    /lease of 10\.20\.0\.11 obtained from 10\.20\.0\.1, lease time 43200/,
  )
  await wire.saysAtLast('ack')
  t.match(wire.said, [
    { kind: 'ready' },
    { kind: 'discover', mac: MAC },
    { kind: 'offer', text: 'offers 10.20.0.11' },
    { kind: 'commit', text: '10.20.0.11' },
    { kind: 'request' },
    { kind: 'ack' },
  ])
})

t.test('udhcpc gets the same address of the pool again', { skip: whyNoNetworks('/sbin/udhcpc') }, async t => {
  const wire = await layWire(t)
  const first = /lease of (\S+)/.exec(await wire.client('udhcpc', udhcpc))?.[1]
  const second = /lease of (\S+)/.exec(await wire.client('udhcpc', [...udhcpc, '-C']))?.[1]
  t.match(first, /^10\.20\.0\.1\d\d$/)
  t.equal(second, first)
})

t.test('the dhcp package’s client is bound', { skip: whyNoNetworks() }, async t => {
  const wire = await layWire(t, { machines: [machine()] })
  await wire.client('ip', ['route', 'add', 'default', 'dev', 'eth0'])
  const script = join(import.meta.dirname, 'client-package.ts')
  const bound = await wire.client(process.execPath, [script, MAC])
  t.match(JSON.parse(bound), { address: '10.20.0.11' })
})

t.test(
  'networkd takes the address, and gives it back by unicast',
  { skip: whyNoNetworks(NETWORKD) },
  async t => {
    const wire = await layWire(t)
    // Without udev, and with separate folders for what it reads and writes.
    const script = `
    mount -t sysfs -o ro sysfs /sys
    mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /etc/systemd/network
    mkdir -p /run/systemd/network /run/systemd/netif /run/systemd/system
    printf '%s\\n' '[Match]' 'Name=eth0' '[Network]' 'DHCP=ipv4' 'LinkLocalAddressing=no' \\
      '[DHCPv4]' 'ClientIdentifier=mac' > /run/systemd/network/80.network
    exec timeout --preserve-status 4 ${NETWORKD}`
    const inside = [`--target=${wire.clientPid}`, '--net', '--mount', 'sh', '-c', script]
    await run('nsenter', inside, { limitSeconds: 20 })
    const released = await wire.saysAtLast('release')
    const given = await wire.saysAtLast('ack')
    t.match(given.text, /^10\.20\.0\.1\d\d is its address for 120 s$/)
    t.equal(released.detail['address'], given.detail['address'])
  },
)

t.test(
  'no acknowledgement leaves before its lease is kept',
  { skip: whyNoNetworks('/sbin/udhcpc') },
  async t => {
    const wire = await layWire(t, { machines: [machine()], failingCommits: 1 })
    t.match(await wire.client('udhcpc', udhcpc), /lease of 10\.20\.0\.11/)
    const kinds = wire.said.map(one => one.kind)
    const [failed, kept, acked] = ['problem', 'commit', 'ack'].map(kind => kinds.indexOf(kind))
    t.ok(failed! > 0 && failed! < kept! && kept! < acked!, kinds.join(' '))
    t.equal(kinds.filter(kind => kind === 'ack').length, 1)
  },
)

t.test('requests that come together share a commit', { skip: whyNoNetworks() }, async t => {
  const wire = await layWire(t)
  await wire.client('ip', ['route', 'add', 'default', 'dev', 'eth0'])
  await wire.client(process.execPath, [join(import.meta.dirname, 'burst.ts'), '60', String(wire.servingPid)])
  const acks = wire.said.filter(one => one.kind === 'ack').length
  const commits = wire.said.filter(one => one.kind === 'commit')
  t.equal(acks, 60)
  t.ok(commits.length < 60, `${commits.length} commits`)
  t.equal(new Set(commits.flatMap(({ text }) => text.split(' '))).size, 60)
})

t.test(
  'what is decided while a commit is under way shares the next one, and is acknowledged after it',
  { skip: whyNoNetworks() },
  async t => {
    const wire = await layWire(t, { commitMs: 50 })
    await wire.client('ip', ['route', 'add', 'default', 'dev', 'eth0'])
    const burst = join(import.meta.dirname, 'burst.ts')
    await wire.client(process.execPath, [burst, '60', String(wire.servingPid)])
    const kept = new Set<string>()
    let acks = 0
    for (const { kind, text, detail } of wire.said) {
      t.not(kind, 'problem', text)
      if (kind === 'commit') for (const address of text.split(' ')) kept.add(address)
      if (kind !== 'ack') continue
      acks += 1
      const address = String(detail['address'])
      t.ok(kept.has(address), `${address} is on disk`)
    }
    t.equal(acks, 60)
    const commits = wire.said.filter(({ kind }) => kind === 'commit').length
    t.ok(commits < 20, `${commits} commits`)
  },
)

t.test('a port that is taken is an error that says how to fix it', { skip: whyNoNetworks() }, async t => {
  const wire = await layWire(t)
  const script = `
    const taken = require('node:dgram').createSocket('udp4').bind(67, '127.0.0.1', async () => {
      const { openDhcp } = await import(${JSON.stringify(SOCKET)})
      const leases = { all: async () => [], commit: async () => {} }
      await openDhcp({ address: '127.0.0.1', leases }).catch(error => console.log(error.code, error.message, error.remedy))
      taken.close()
    })`
  const said = await wire.client(process.execPath, ['-e', script])
  t.match(
    said,
    /^CANNOT_SERVE_DHCP .* UDP port 67: process \d+ \(node .*\) has it stop that one, or: {2}pilotlight serve --no-dhcp/,
  )
})

t.test('an address that is not ours is an error that says so', async t => {
  const opening = openDhcp({
    address: '192.0.2.1',
    url: SERVER.url,
    network: () => network(),
    leases: { all: async () => [], commit: async () => {} },
    events: { record: () => {} },
    reservations: new MachineIndex(),
    report: problem => t.comment(problem.message),
  })
  await t.rejects(opening, {
    code: 'CANNOT_SERVE_DHCP',
    message: /no interface of this host has the address$/,
    remedy: /ip -brief address$/,
  })
})
